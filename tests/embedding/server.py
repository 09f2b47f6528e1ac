"""A small embeddings endpoint for tests and `make run`: POST /v1/embeddings as OpenAI documents it, with a real model.

    python server.py [--port 8081] [--key-file FILE]

One request is worked on at a time; others wait. With --key-file, a request must carry the file's first line as its bearer token.
It listens on 127.0.0.1 alone, prints one line with its URL when it is ready, and serves nothing but this one model.
"""

import argparse
import hmac
import json
import pathlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model import DIMENSIONS, Model

NAME = "all-MiniLM-L6-v2"
MAX_BODY = 8 << 20
MAX_INPUTS = 2048


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def read(body):
    """The texts of a request."""
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise Refused(400, f"the body is no JSON: {error}") from error
    if not isinstance(asked, dict):
        raise Refused(400, "the body must be an object")
    if asked.get("model") != NAME:
        raise Refused(404, f"there is one model here: {NAME}")
    if asked.get("encoding_format", "float") != "float":
        raise Refused(400, "encoding_format: only float is served")
    if asked.get("dimensions", DIMENSIONS) != DIMENSIONS:
        raise Refused(400, f"dimensions: the model has {DIMENSIONS}")
    texts = asked.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused(400, "input must be a text or a list of texts, none of them empty")
    if len(texts) > MAX_INPUTS:
        raise Refused(400, f"input: at most {MAX_INPUTS} texts")
    return texts


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None
    key = None
    turn = threading.Lock()

    def do_POST(self):
        try:
            self.answer(200, self.embeddings())
        except Refused as refused:
            self.answer(refused.status, {"error": {"message": str(refused), "type": "invalid_request_error"}})

    def embeddings(self):
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BODY:
            self.close_connection = True
            raise Refused(413, f"at most {MAX_BODY} bytes")
        body = self.rfile.read(length)
        if self.path != "/v1/embeddings":
            raise Refused(404, "POST /v1/embeddings is all there is")
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.key is not None and not hmac.compare_digest(given.encode(), self.key.encode()):
            raise Refused(401, "wrong key")
        texts = read(body)
        with self.turn:
            vectors = self.model.embed(texts)
        data = [
            {"object": "embedding", "index": at, "embedding": [round(float(x), 7) for x in vector]}
            for at, vector in enumerate(vectors)
        ]
        words = sum(len(text.split()) for text in texts)
        return {"object": "list", "data": data, "model": NAME, "usage": {"prompt_tokens": words, "total_tokens": words}}

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: texts and keys are nobody's business."""


def main():
    arguments = argparse.ArgumentParser(description="An embeddings endpoint with all-MiniLM-L6-v2.")
    arguments.add_argument("--port", type=int, default=0, help="0: any that is free")
    arguments.add_argument("--key-file", type=pathlib.Path)
    given = arguments.parse_args()
    if given.key_file:
        Handler.key = given.key_file.read_text().splitlines()[0].strip()
    Handler.model = Model()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

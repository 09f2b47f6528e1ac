-- The tools, resources and prompts that the official MCP conformance suite calls, registered the way any DBA registers
-- theirs. For tests only. The suite's own descriptions say what each must answer: conformance list, and its sources.
--
-- Left out, since a server that answers requests and never sends any cannot have them (see
-- expected-failures-2025-11-25.yml): test_sampling, test_elicitation, test_elicitation_sep1034_defaults,
-- test_elicitation_sep1330_enums, test_reconnection. In 2026-07-28 the tools test_input_required_result_* take their place.

CREATE SCHEMA conformance;
GRANT USAGE ON SCHEMA conformance TO authenticated;

-- ---- parts ----

-- A red pixel.
CREATE FUNCTION conformance.png() RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC'
$$;

-- One millisecond of silence: 8 bits, mono, 8 kHz.
CREATE FUNCTION conformance.wav() RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT 'UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA=='
$$;

CREATE FUNCTION conformance.says(said pg_catalog.text) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('content', jsonb_build_array(jsonb_build_object('type', 'text', 'text', said)))
$$;

-- A question to the user that is answered with one property.
CREATE FUNCTION conformance.question(message pg_catalog.text, property pg_catalog.text, type pg_catalog.text DEFAULT 'string')
    RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('method', 'elicitation/create', 'params', jsonb_build_object(
           'message', message,
           'requestedSchema', jsonb_build_object('type', 'object',
               'properties', jsonb_build_object(property, jsonb_build_object('type', type)),
               'required', jsonb_build_array(property))))
$$;

-- A question to the client's model.
CREATE FUNCTION conformance.sampling(prompt pg_catalog.text) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('method', 'sampling/createMessage', 'params', jsonb_build_object(
           'messages', jsonb_build_array(jsonb_build_object('role', 'user',
               'content', jsonb_build_object('type', 'text', 'text', prompt))),
           'maxTokens', 100))
$$;

-- What the user answered for the property of a question; null unless they accepted.
CREATE FUNCTION conformance.answer(context pg_catalog.jsonb, key pg_catalog.text, property pg_catalog.text)
    RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT context #>> ARRAY['inputResponses', key, 'content', property]
 WHERE context #>> ARRAY['inputResponses', key, 'action'] = 'accept'
$$;

-- ---- tools: kinds of content ----

CREATE FUNCTION conformance.simple_text() RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.says('This is a simple text response for testing.') $$;
SELECT mcp.register_tool('test_simple_text', 'conformance.simple_text()', 'Answers with a text.');

CREATE FUNCTION conformance.image_content() RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('content', jsonb_build_array(
           jsonb_build_object('type', 'image', 'data', conformance.png(), 'mimeType', 'image/png')))
$$;
SELECT mcp.register_tool('test_image_content', 'conformance.image_content()', 'Answers with an image.');

CREATE FUNCTION conformance.audio_content() RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('content', jsonb_build_array(
           jsonb_build_object('type', 'audio', 'data', conformance.wav(), 'mimeType', 'audio/wav')))
$$;
SELECT mcp.register_tool('test_audio_content', 'conformance.audio_content()', 'Answers with a sound.');

CREATE FUNCTION conformance.embedded_resource() RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('content', jsonb_build_array(jsonb_build_object('type', 'resource', 'resource',
           jsonb_build_object('uri', 'test://embedded-resource', 'mimeType', 'text/plain',
                              'text', 'This is an embedded resource content.'))))
$$;
SELECT mcp.register_tool('test_embedded_resource', 'conformance.embedded_resource()', 'Answers with an embedded resource.');

CREATE FUNCTION conformance.multiple_content_types() RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('content', jsonb_build_array(
           jsonb_build_object('type', 'text', 'text', 'Multiple content types test:'),
           jsonb_build_object('type', 'image', 'data', conformance.png(), 'mimeType', 'image/png'),
           jsonb_build_object('type', 'resource', 'resource', jsonb_build_object(
               'uri', 'test://mixed-content-resource', 'mimeType', 'application/json', 'text', '{"test":"data","value":123}'))))
$$;
SELECT mcp.register_tool('test_multiple_content_types', 'conformance.multiple_content_types()',
                         'Answers with a text, an image and a resource.');

CREATE FUNCTION conformance.error_handling() RETURNS pg_catalog.jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'This tool intentionally returns an error for testing';
END
$$;
SELECT mcp.register_tool('test_error_handling', 'conformance.error_handling()', 'Always fails.');

-- ---- tools: what is told while they run ----

CREATE FUNCTION conformance.with_progress() RETURNS pg_catalog.jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp.progress(0, 100);
    PERFORM pg_sleep(0.05);
    PERFORM mcp.progress(50, 100, 'half of it');
    PERFORM pg_sleep(0.05);
    PERFORM mcp.progress(100, 100);
    RETURN conformance.says('Tool with progress executed successfully.');
END
$$;
SELECT mcp.register_tool('test_tool_with_progress', 'conformance.with_progress()', 'Tells three times how far it is.',
                         annotations => '{"readOnlyHint": true}');

-- Under two names: the suite's 2026-07-28 set calls the second to see that nothing is logged unasked.
CREATE FUNCTION conformance.with_logging() RETURNS pg_catalog.jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM mcp.log('info', '"Tool execution started"');
    PERFORM pg_sleep(0.05);
    PERFORM mcp.log('info', '"Tool processing data"');
    PERFORM pg_sleep(0.05);
    PERFORM mcp.log('info', '"Tool execution completed"');
    RETURN conformance.says('Tool with logging executed successfully.');
END
$$;
SELECT mcp.register_tool('test_tool_with_logging', 'conformance.with_logging()', 'Logs three messages.',
                         annotations => '{"readOnlyHint": true}');
SELECT mcp.register_tool('test_logging_tool', 'conformance.with_logging()', 'Logs three messages.',
                         annotations => '{"readOnlyHint": true}');

-- ---- tools: arguments ----

CREATE FUNCTION conformance.json_schema(arguments pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.says('JSON Schema 2020-12 tool called with: ' || arguments::text) $$;
SELECT mcp.register_tool('json_schema_2020_12_tool', 'conformance.json_schema(jsonb)', 'Tool with JSON Schema 2020-12 features',
    input_schema => '{
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "type": "object",
      "$defs": {
        "address": {
          "$anchor": "addressDef",
          "type": "object",
          "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
        }
      },
      "properties": {
        "name": { "type": "string" },
        "address": { "$ref": "#/$defs/address" },
        "contactMethod": { "type": "string", "enum": ["phone", "email"] },
        "phone": { "type": "string" },
        "email": { "type": "string" }
      },
      "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
      "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
      "then": { "required": ["phone"] },
      "else": { "required": ["email"] },
      "additionalProperties": false
    }');

-- ---- tools: questions to the client (multi-round-trip requests) ----

CREATE FUNCTION conformance.ask_name(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN name IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('user_name',
                     conformance.question('What is your name?', 'name')))
            ELSE conformance.says(format('Hello, %s!', name)) END
  FROM conformance.answer(context, 'user_name', 'name') AS name
$$;
SELECT mcp.register_tool('test_input_required_result_elicitation', 'conformance.ask_name(jsonb, jsonb)', 'Asks the user for a name.');
SELECT mcp.register_tool('test_streaming_elicitation', 'conformance.ask_name(jsonb, jsonb)', 'Asks the user for a name.');

CREATE FUNCTION conformance.ask_model(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN said IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('capital_question',
                     conformance.sampling('What is the capital of France?')))
            ELSE conformance.says('The model says: ' || said) END
  FROM (SELECT context #>> '{inputResponses,capital_question,content,text}') AS response (said)
$$;
SELECT mcp.register_tool('test_input_required_result_sampling', 'conformance.ask_model(jsonb, jsonb)', 'Asks the client''s model.');
SELECT mcp.register_tool('test_missing_capability', 'conformance.ask_model(jsonb, jsonb)',
                         'Asks the client''s model, and can do nothing without.');

CREATE FUNCTION conformance.ask_roots(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN jsonb_typeof(roots) = 'array'
            THEN conformance.says('Roots: ' || jsonb_path_query_array(roots, '$[*].uri')::text)
            ELSE '{"inputRequests":{"client_roots":{"method":"roots/list","params":{}}}}' END
  FROM (SELECT context #> '{inputResponses,client_roots,roots}') AS response (roots)
$$;
SELECT mcp.register_tool('test_input_required_result_list_roots', 'conformance.ask_roots(jsonb, jsonb)', 'Asks for the client''s roots.');

CREATE FUNCTION conformance.ask_with_state(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN ok AND context -> 'requestState' = '{"waits for":"confirm"}'
            THEN conformance.says('Confirmed: state-ok')
            ELSE jsonb_build_object('inputRequests', jsonb_build_object('confirm',
                     conformance.question('Please confirm', 'ok', 'boolean')),
                 'requestState', '{"waits for":"confirm"}'::jsonb) END
  FROM (SELECT conformance.answer(context, 'confirm', 'ok') = 'true') AS given (ok)
$$;
SELECT mcp.register_tool('test_input_required_result_request_state', 'conformance.ask_with_state(jsonb, jsonb)',
                         'Asks for a confirmation and keeps a state with the client.');
SELECT mcp.register_tool('test_input_required_result_tampered_state', 'conformance.ask_with_state(jsonb, jsonb)',
                         'Asks for a confirmation and keeps a state with the client, who may change it.');

CREATE FUNCTION conformance.ask_all(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN name IS NULL OR greeting IS NULL OR roots IS NULL OR context ->> 'requestState' IS DISTINCT FROM 'three questions'
            THEN jsonb_build_object(
                     'inputRequests', jsonb_build_object(
                         'user_name', conformance.question('What is your name?', 'name'),
                         'greeting', conformance.sampling('Generate a greeting'),
                         'client_roots', '{"method":"roots/list","params":{}}'::jsonb),
                     'requestState', 'three questions')
            ELSE conformance.says(format('%s %s has %s root(s).', greeting, name, jsonb_array_length(roots))) END
  FROM (SELECT conformance.answer(context, 'user_name', 'name'), context #>> '{inputResponses,greeting,content,text}',
               context #> '{inputResponses,client_roots,roots}') AS given (name, greeting, roots)
$$;
SELECT mcp.register_tool('test_input_required_result_multiple_inputs', 'conformance.ask_all(jsonb, jsonb)',
                         'Asks the user, the client''s model and for its roots.');

-- The state carries the first answer into the third round.
CREATE FUNCTION conformance.ask_twice(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN told IS NOT NULL AND color IS NOT NULL
            THEN conformance.says(format('%s likes %s.', told, color))
            WHEN coalesce(told, name) IS NOT NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('step2',
                     conformance.question('Step 2: What is your favorite color?', 'color')),
                 'requestState', jsonb_build_object('name', coalesce(told, name)))
            ELSE jsonb_build_object('inputRequests', jsonb_build_object('step1',
                     conformance.question('Step 1: What is your name?', 'name')),
                 'requestState', '{}'::jsonb) END
  FROM (SELECT context #>> '{requestState,name}', conformance.answer(context, 'step1', 'name'),
               conformance.answer(context, 'step2', 'color')) AS given (told, name, color)
$$;
SELECT mcp.register_tool('test_input_required_result_multi_round', 'conformance.ask_twice(jsonb, jsonb)',
                         'Asks for a name, then for a color.');

-- Asks for more than the suite's client declares there: the server leaves out what that cannot answer.
CREATE FUNCTION conformance.ask_what_is_declared(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('inputRequests', jsonb_build_object(
           'user_name', conformance.question('What is your name?', 'name'),
           'greeting', conformance.sampling('Generate a greeting')))
$$;
SELECT mcp.register_tool('test_input_required_result_capabilities', 'conformance.ask_what_is_declared(jsonb, jsonb)',
                         'Asks the user and the client''s model.');

-- ---- resources ----

CREATE FUNCTION conformance.static_text(uri pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'This is the content of the static text resource.' $$;
SELECT mcp.register_resource('test://static-text', 'conformance.static_text(text)', 'Static text', 'A text.', 'text/plain');
SELECT mcp.register_resource('test://watched-resource', 'conformance.static_text(text)', 'Watched text',
                             'A text that legacy clients subscribe to.', 'text/plain');

CREATE FUNCTION conformance.static_binary(uri pg_catalog.text) RETURNS pg_catalog.bytea
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT decode(conformance.png(), 'base64') $$;
SELECT mcp.register_resource('test://static-binary', 'conformance.static_binary(text)', 'Static image', 'A red pixel.', 'image/png');

CREATE FUNCTION conformance.template_data(uri pg_catalog.text, variables pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('id', variables ->> 'id', 'templateTest', true, 'data', 'Data for ID: ' || (variables ->> 'id'))
$$;
SELECT mcp.register_resource('test://template/{id}/data', 'conformance.template_data(text, jsonb)', 'Data by id',
                             'Data for any id.', 'application/json');

-- ---- prompts ----

CREATE FUNCTION conformance.simple_prompt(arguments pg_catalog.jsonb) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'This is a simple prompt for testing.' $$;
SELECT mcp.register_prompt('test_simple_prompt', 'conformance.simple_prompt(jsonb)', 'A prompt without arguments.');

CREATE FUNCTION conformance.prompt_with_arguments(arguments pg_catalog.jsonb) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT format('Prompt with arguments: arg1=''%s'', arg2=''%s''', arguments ->> 'arg1', arguments ->> 'arg2') $$;
SELECT mcp.register_prompt('test_prompt_with_arguments', 'conformance.prompt_with_arguments(jsonb)', 'A prompt with two arguments.',
    '[{"name": "arg1", "description": "First test argument", "required": true},
      {"name": "arg2", "description": "Second test argument", "required": true}]');

CREATE FUNCTION conformance.prompt_with_embedded_resource(arguments pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('messages', jsonb_build_array(
           jsonb_build_object('role', 'user', 'content', jsonb_build_object('type', 'resource', 'resource', jsonb_build_object(
               'uri', arguments ->> 'resourceUri', 'mimeType', 'text/plain', 'text', 'Embedded resource content for testing.'))),
           '{"role": "user", "content": {"type": "text", "text": "Please process the embedded resource above."}}'::jsonb))
$$;
SELECT mcp.register_prompt('test_prompt_with_embedded_resource', 'conformance.prompt_with_embedded_resource(jsonb)',
    'A prompt that embeds a resource.',
    '[{"name": "resourceUri", "description": "URI of the resource to embed", "required": true}]');

CREATE FUNCTION conformance.prompt_with_image(arguments pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_build_object('messages', jsonb_build_array(
           jsonb_build_object('role', 'user', 'content',
               jsonb_build_object('type', 'image', 'data', conformance.png(), 'mimeType', 'image/png')),
           '{"role": "user", "content": {"type": "text", "text": "Please analyze the image above."}}'::jsonb))
$$;
SELECT mcp.register_prompt('test_prompt_with_image', 'conformance.prompt_with_image(jsonb)', 'A prompt with an image.');

CREATE FUNCTION conformance.prompt_that_asks(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN given IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('user_context',
                     conformance.question('What context should the prompt use?', 'context')))
            ELSE jsonb_build_object('description', 'A prompt in the user''s context.', 'messages', jsonb_build_array(
                     jsonb_build_object('role', 'user', 'content',
                         jsonb_build_object('type', 'text', 'text', 'Work in this context: ' || given)))) END
  FROM conformance.answer(context, 'user_context', 'context') AS given
$$;
SELECT mcp.register_prompt('test_input_required_result_prompt', 'conformance.prompt_that_asks(jsonb, jsonb)',
                           'A prompt that asks the user for its context.');

-- A tool and a prompt that come and go, for the streams of subscriptions/listen: as owner of the two the fixture gives and takes the privilege
-- that decides whether they are shown.
CREATE FUNCTION conformance.shown_at_times() RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'now' $$;
SELECT mcp.register_tool('test_shown_at_times', 'conformance.shown_at_times()', 'A tool that comes and goes.');
CREATE FUNCTION conformance.prompt_at_times(arguments pg_catalog.jsonb) RETURNS pg_catalog.text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'now' $$;
SELECT mcp.register_prompt('test_prompt_at_times', 'conformance.prompt_at_times(jsonb)', 'A prompt that comes and goes.');

CREATE FUNCTION conformance.toggle(function pg_catalog.regprocedure) RETURNS pg_catalog.text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF has_function_privilege('authenticated', function, 'EXECUTE') THEN
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM authenticated', function);
    ELSE
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO authenticated', function);
    END IF;
    RETURN 'changed';
END
$$;
CREATE FUNCTION conformance.change_tools() RETURNS pg_catalog.text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.toggle('conformance.shown_at_times()') $$;
SELECT mcp.register_tool('test_trigger_tool_change', 'conformance.change_tools()', 'Changes the list of tools.');
CREATE FUNCTION conformance.change_prompts() RETURNS pg_catalog.text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.toggle('conformance.prompt_at_times(jsonb)') $$;
SELECT mcp.register_tool('test_trigger_prompt_change', 'conformance.change_prompts()', 'Changes the list of prompts.');

-- ---- tools that run as tasks (extension io.modelcontextprotocol/tasks) ----

CREATE FUNCTION conformance.greet(name pg_catalog.text) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.says(format('Hello, %s!', name)) $$;
SELECT mcp.register_tool('greet', 'conformance.greet(text)', 'Greets, at once.');

CREATE FUNCTION conformance.slow_compute(seconds pg_catalog.float8 DEFAULT 1, label pg_catalog.text DEFAULT '') RETURNS pg_catalog.jsonb
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT conformance.says(format('%s took %s s', label, seconds)) FROM pg_sleep(seconds) $$;
SELECT mcp.register_tool('slow_compute', 'conformance.slow_compute(float8, text)', 'Sleeps, then answers.', task_support => 'optional');

CREATE FUNCTION conformance.failing_job() RETURNS pg_catalog.jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_sleep(1);
    RAISE EXCEPTION 'this job always fails';
END
$$;
SELECT mcp.register_tool('failing_job', 'conformance.failing_job()', 'Fails after a second.', task_support => 'required');

-- What a function raises is its tool's error. Only what ends the run itself is one of the protocol: here its time is over.
CREATE FUNCTION conformance.never_ends() RETURNS pg_catalog.void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_sleep(3600) $$;
SELECT mcp.register_tool('protocol_error_job', 'conformance.never_ends()', 'Never ends by itself.', task_support => 'optional',
                         task_timeout_seconds => 1);

CREATE FUNCTION conformance.confirm_delete(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN context #> '{inputResponses,confirm}' IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('confirm',
                     conformance.question(format('Delete %s?', arguments ->> 'filename'), 'confirm', 'boolean')))
            WHEN conformance.answer(context, 'confirm', 'confirm') = 'true' THEN conformance.says('Deleted.')
            ELSE conformance.says('Left as it is.') END
$$;
SELECT mcp.register_tool('confirm_delete', 'conformance.confirm_delete(jsonb, jsonb)', 'Asks before it deletes.', task_support => 'optional');

CREATE FUNCTION conformance.multi_input(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN first IS NULL OR second IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('first', conformance.question('The first name?', 'name'),
                                                                        'second', conformance.question('The second name?', 'name')))
            ELSE conformance.says(format('%s and %s', first, second)) END
  FROM conformance.answer(context, 'first', 'name') AS first, conformance.answer(context, 'second', 'name') AS second
$$;
SELECT mcp.register_tool('multi_input', 'conformance.multi_input(jsonb, jsonb)', 'Asks two questions at once.', task_support => 'optional');

-- Asks first, and goes on as a task with the answer.
CREATE FUNCTION conformance.ask_then_work(arguments pg_catalog.jsonb, context pg_catalog.jsonb) RETURNS pg_catalog.jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE WHEN name IS NULL
            THEN jsonb_build_object('inputRequests', jsonb_build_object('user_name',
                     conformance.question('What is your name?', 'name')))
            WHEN context ->> 'task' = 'offered' THEN '{"task": true}'
            ELSE conformance.says(format('Worked for %s.', name)) END
  FROM conformance.answer(context, 'user_name', 'name') AS name
$$;
SELECT mcp.register_tool('test_tool_with_task', 'conformance.ask_then_work(jsonb, jsonb)', 'Asks for a name, then works.',
                         task_support => 'required', task_on_answer => true);

-- Not PUBLIC: who may execute a function may use what it is registered as.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA conformance FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA conformance TO authenticated;

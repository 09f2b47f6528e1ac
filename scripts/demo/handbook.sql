-- A knowledge base of the project's guides; demo.sh adds the documents. Runs once, where pgvector is installed.
\set ON_ERROR_STOP on
SELECT mcp.install('{ai}');
SELECT ai.create_knowledge_base('handbook', 'The guides of fluxbase_mcp_ext', visibility => 'shared', dimensions => 384, text_config => 'english');

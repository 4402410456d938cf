-- Whether every table of the schema is there and may be read.
SELECT count(*) = cardinality(ARRAY[{tables}]) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'insights' AND c.relname = ANY(ARRAY[{tables}])
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')

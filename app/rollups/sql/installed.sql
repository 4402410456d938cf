-- Whether any table of the rollups is there, and whether all are and may be read.
SELECT EXISTS (
    SELECT FROM pg_class WHERE relnamespace = to_regnamespace('insights') AND relname = ANY(ARRAY[{tables}])
) AS installed, ({readable}) AS readable

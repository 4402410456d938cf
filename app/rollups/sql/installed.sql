SELECT to_regnamespace('insights') IS NOT NULL AS installed, ({readable}) AS readable

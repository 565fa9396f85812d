-- What is in some schemas of a database: one fact for each thing, as JSON.
-- :details is how the details are told: nulls left out, which costs a tenth of it all, or not.
-- :schemas and :without are arrays of text; without names what is left out, as schema.name.
WITH RECURSIVE ns AS MATERIALIZED (
  SELECT n.oid, n.nspname,
         -- As it stands in JSON. Also what every fact is grouped by: a join at the end is planned
         -- as a loop.
         btrim(to_json(quote_ident(n.nspname) || '.')::text, '"') AS prefix
    FROM pg_namespace n WHERE n.nspname = ANY (:schemas)
), rel AS MATERIALIZED (
  SELECT ns.prefix, c.* FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
     AND (ns.nspname || '.' || c.relname) <> ALL (:without)
), att AS MATERIALIZED (
  SELECT rel.prefix, rel.relnamespace, rel.relname, a.*
    FROM rel
    JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
), used (prefix, own, typ) AS (
  -- A type may be in another schema; what it is, is part of the column nevertheless.
  SELECT prefix, relnamespace, atttypid FROM att
  UNION
  SELECT ns.prefix, ns.oid, t.oid FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
   WHERE t.typtype IN ('e', 'd', 'r', 'c')
  UNION
  SELECT used.prefix, used.own, part.typ
    FROM used
    JOIN pg_type t ON t.oid = used.typ
   CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype)) part (typ)
   WHERE part.typ <> 0
), thing AS (
  SELECT prefix, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
           WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
         '' AS tbl, relname::text AS name, json_build_object(
           'definition', CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(rel.oid) END,
           'persistence', CASE WHEN relpersistence <> 'p' THEN relpersistence END,
           'partitioned by', CASE WHEN relkind = 'p' THEN pg_get_partkeydef(rel.oid) END,
           'inherits', (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
                          FROM pg_inherits WHERE inhrelid = rel.oid),
           'bounds', pg_get_expr(relpartbound, rel.oid),
           'of type', CASE WHEN reloftype <> 0 THEN format_type(reloftype, NULL) END,
           'access method', CASE WHEN am.amname <> 'heap' THEN am.amname END,
           'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = reltablespace),
           'options', array_to_string(reloptions, ', '),
           'row security', CASE WHEN relrowsecurity OR relforcerowsecurity THEN
             concat_ws(' ', CASE WHEN relrowsecurity THEN 'on' END,
                            CASE WHEN relforcerowsecurity THEN 'forced' END) END,
           'comment', d.description) AS details
    FROM rel
    LEFT JOIN pg_am am ON am.oid = rel.relam
    LEFT JOIN pg_description d ON d.objoid = rel.oid AND d.objsubid = 0
         AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT a.prefix, 'column', a.relname, attname, json_build_object(
           'type', format_type(a.atttypid, a.atttypmod),
           'nullable', CASE WHEN attnotnull THEN 'no' ELSE 'yes' END,
           'default', CASE WHEN attgenerated = '' THEN value.sql END,
           -- Alembic takes a default for a SERIAL's by the column that its sequence belongs to.
           'sequence of', CASE WHEN value.sql LIKE 'nextval(%' THEN
             (SELECT string_agg(o.refobjid::regclass::text || '.' || quote_ident(oa.attname), ', ')
                FROM pg_depend s
                JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = s.refobjid
                     AND o.refclassid = 'pg_class'::regclass
                JOIN pg_attribute oa ON oa.attrelid = o.refobjid AND oa.attnum = o.refobjsubid
               WHERE s.classid = 'pg_attrdef'::regclass AND s.objid = ad.oid
                 AND s.refclassid = 'pg_class'::regclass AND s.refobjid <> a.attrelid) END,
           'computed', CASE WHEN attgenerated <> '' THEN value.sql
             || CASE attgenerated WHEN 's' THEN ' stored' ELSE ' virtual' END END,
           'identity', CASE attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
           'collation', CASE WHEN attcollation <> t.typcollation THEN
             (SELECT CASE WHEN n.nspname <> 'pg_catalog' THEN quote_ident(n.nspname) || '.'
                     ELSE '' END || quote_ident(co.collname)
                FROM pg_collation co JOIN pg_namespace n ON n.oid = co.collnamespace
               WHERE co.oid = attcollation) END,
           'comment', d.description,
           'position', row_number() OVER (PARTITION BY attrelid ORDER BY attnum))
    FROM att a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef ad ON adrelid = attrelid AND adnum = attnum
   CROSS JOIN LATERAL (SELECT pg_get_expr(adbin, adrelid) AS sql OFFSET 0) value
    LEFT JOIN pg_description d ON d.objoid = attrelid AND d.objsubid = attnum
         AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT rel.prefix, CASE contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
           WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check constraint'
           ELSE 'exclusion constraint' END,
         relname, conname, json_build_object(
           'definition', pg_get_constraintdef(con.oid), 'comment', d.description)
    FROM rel
    JOIN pg_constraint con ON con.conrelid = rel.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    LEFT JOIN pg_description d ON d.objoid = con.oid AND d.objsubid = 0
         AND d.classoid = 'pg_constraint'::regclass
  UNION ALL
  SELECT rel.prefix, CASE WHEN indisunique THEN 'unique index' ELSE 'index' END,
         rel.relname, ic.relname, json_build_object(
           'on', substr(def.text, strpos(def.text, ' USING ') + 7),
           'valid', CASE WHEN NOT indisvalid THEN 'no' END,
           'of constraint', (SELECT conname FROM pg_constraint
                              WHERE conrelid = rel.oid AND conindid = ic.oid
                                AND contype IN ('p', 'u', 'x') LIMIT 1),
           'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = ic.reltablespace),
           'comment', d.description)
    FROM rel
    JOIN pg_index i ON i.indrelid = rel.oid
    JOIN pg_class ic ON ic.oid = i.indexrelid
    CROSS JOIN LATERAL (SELECT pg_get_indexdef(ic.oid) AS text OFFSET 0) def
    LEFT JOIN pg_description d ON d.objoid = ic.oid AND d.objsubid = 0
         AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT ns.prefix, 'sequence', '', c.relname, json_build_object(
           'type', format_type(seqtypid, NULL), 'start', seqstart, 'increment', seqincrement,
           'minimum', seqmin, 'maximum', seqmax, 'cache', seqcache,
           'cycle', CASE WHEN seqcycle THEN 'yes' END,
           'owned by', (SELECT p.refobjid::regclass::text || '.' || quote_ident(a.attname)
                          FROM pg_depend p JOIN pg_attribute a
                            ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
                         WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid
                           AND p.refclassid = 'pg_class'::regclass
                           AND p.deptype IN ('a', 'i') LIMIT 1),
           'comment', d.description)
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN ns ON ns.oid = c.relnamespace
    LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0
         AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT used.prefix, CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'
           ELSE 'composite type' END,
         '', CASE WHEN t.typnamespace <> used.own THEN n.nspname || '.' ELSE '' END || t.typname,
         json_build_object(
           'schema', CASE WHEN t.typnamespace <> used.own THEN n.nspname END,
           'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_enum e WHERE e.enumtypid = t.oid),
           'type', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
           'nullable', CASE WHEN t.typtype = 'd' AND t.typnotnull THEN 'no' END,
           'default', t.typdefault,
           'collation', CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN
             (SELECT CASE WHEN n.nspname <> 'pg_catalog' THEN quote_ident(n.nspname) || '.'
                     ELSE '' END || quote_ident(co.collname)
                FROM pg_collation co JOIN pg_namespace n ON n.oid = co.collnamespace
               WHERE co.oid = t.typcollation) END,
           'checks', (SELECT string_agg(quote_ident(k.conname) || ' '
                             || pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname)
                        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'),
           'range of', (SELECT format_type(r.rngsubtype, NULL)
                          FROM pg_range r WHERE r.rngtypid = t.oid),
           'attributes', (SELECT string_agg(quote_ident(a.attname) || ' '
                                 || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
                            FROM pg_attribute a
                           WHERE a.attrelid = c.oid AND NOT a.attisdropped),
           'comment', d.description)
    FROM used
    JOIN pg_type t ON t.oid = used.typ
    JOIN pg_namespace n ON n.oid = t.typnamespace AND n.nspname <> 'pg_catalog'
    LEFT JOIN pg_type b ON b.oid = t.typbasetype
    LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    LEFT JOIN pg_description d ON d.objoid = t.oid AND d.classoid = 'pg_type'::regclass
         AND t.typnamespace = used.own
   WHERE t.typtype IN ('e', 'd', 'r') OR c.oid IS NOT NULL
  UNION ALL
  SELECT rel.prefix, 'trigger', relname, tgname, json_build_object(
           'definition', pg_get_triggerdef(tg.oid),
           'enabled', CASE tgenabled WHEN 'O' THEN NULL ELSE tgenabled END)
    FROM rel JOIN pg_trigger tg ON tg.tgrelid = rel.oid AND NOT tgisinternal
), fact AS (
  SELECT prefix, json_build_array(kind, tbl, name, :details)::text AS fact
    FROM thing
)

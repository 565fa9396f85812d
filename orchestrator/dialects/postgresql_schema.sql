-- What is in some schemas of a database: one fact for each thing, as JSON. Nulls are left out.
-- :schemas and :without are arrays of text; without names what is left out, as schema.name.
WITH ns AS MATERIALIZED (
  SELECT n.oid, n.nspname,
         -- As it stands in JSON.
         btrim(to_json(quote_ident(n.nspname) || '.')::text, '"') AS prefix
    FROM pg_namespace n WHERE n.nspname = ANY (:schemas)
), rel AS MATERIALIZED (
  SELECT c.* FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
     AND (ns.nspname || '.' || c.relname) <> ALL (:without)
), kind AS MATERIALIZED (
  SELECT t.oid, json_strip_nulls(json_build_object(
           'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_enum e WHERE e.enumtypid = t.oid),
           'type', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
           'not null', CASE WHEN t.typtype = 'd' AND t.typnotnull THEN 'yes' END,
           'default', t.typdefault,
           'collation', CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation
                             THEN t.typcollation::regcollation::text END,
           'checks', (SELECT string_agg(quote_ident(k.conname) || ' '
                             || pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname)
                        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'),
           'range of', (SELECT format_type(r.rngsubtype, NULL)
                          FROM pg_range r WHERE r.rngtypid = t.oid),
           'attributes', (SELECT string_agg(quote_ident(a.attname) || ' '
                                 || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
                            FROM pg_attribute a
                           WHERE a.attrelid = t.typrelid AND NOT a.attisdropped))) AS is,
         t.typname, t.typtype, t.typnamespace
    FROM pg_type t LEFT JOIN pg_type b ON b.oid = t.typbasetype
   WHERE t.typtype IN ('e', 'd', 'r')
         AND t.typnamespace <> 'pg_catalog'::regnamespace
      OR t.typtype = 'c'
         AND EXISTS (SELECT FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
                      WHERE c.oid = t.typrelid AND c.relkind = 'c')
), thing AS (
  SELECT relnamespace AS ns, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
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
  SELECT relnamespace, 'column', relname, attname, json_build_object(
           'type', format_type(a.atttypid, a.atttypmod),
           'nullable', CASE WHEN attnotnull THEN 'no' ELSE 'yes' END,
           'default', CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) END,
           'computed', CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid)
             || CASE attgenerated WHEN 's' THEN ' stored' ELSE ' virtual' END END,
           'identity', CASE attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
           'collation', CASE WHEN attcollation <> t.typcollation
             THEN attcollation::regcollation::text END,
           'type is', coalesce(k.is, e.is),
           'comment', d.description,
           'position', row_number() OVER (PARTITION BY attrelid ORDER BY attnum))
    FROM rel
    JOIN pg_attribute a ON a.attrelid = rel.oid AND attnum > 0 AND NOT attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN kind k ON k.oid = t.oid
    LEFT JOIN kind e ON e.oid = t.typelem
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    LEFT JOIN pg_description d ON d.objoid = rel.oid AND d.objsubid = attnum
         AND d.classoid = 'pg_class'::regclass
   WHERE relkind IN ('r', 'p', 'f')
  UNION ALL
  SELECT relnamespace, CASE contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
           WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check constraint'
           ELSE 'exclusion constraint' END,
         relname, conname, json_build_object(
           'definition', pg_get_constraintdef(con.oid), 'comment', d.description)
    FROM rel
    JOIN pg_constraint con ON con.conrelid = rel.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    LEFT JOIN pg_description d ON d.objoid = con.oid AND d.objsubid = 0
         AND d.classoid = 'pg_constraint'::regclass
  UNION ALL
  SELECT rel.relnamespace, CASE WHEN indisunique THEN 'unique index' ELSE 'index' END,
         rel.relname, ic.relname, json_build_object(
           'on', substr(def.text, strpos(def.text, ' USING ') + 7),
           'valid', CASE WHEN NOT indisvalid THEN 'no' END,
           'of constraint', (SELECT conname FROM pg_constraint
                             WHERE conrelid = rel.oid AND conindid = ic.oid AND contype IN ('p', 'u', 'x') LIMIT 1),
           'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = ic.reltablespace),
           'comment', d.description)
    FROM rel
    JOIN pg_index i ON i.indrelid = rel.oid
    JOIN pg_class ic ON ic.oid = i.indexrelid
    CROSS JOIN LATERAL (SELECT pg_get_indexdef(ic.oid) AS text OFFSET 0) def
    LEFT JOIN pg_description d ON d.objoid = ic.oid AND d.objsubid = 0
         AND d.classoid = 'pg_class'::regclass
  UNION ALL
  SELECT c.relnamespace, 'sequence', '', c.relname, json_build_object(
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
  SELECT kind.typnamespace, CASE kind.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain'
           WHEN 'r' THEN 'range' ELSE 'composite type' END, '', typname,
         json_build_object('is', kind.is, 'comment', d.description)
    FROM kind
    JOIN ns ON ns.oid = kind.typnamespace
    LEFT JOIN pg_description d ON d.objoid = kind.oid AND d.classoid = 'pg_type'::regclass
  UNION ALL
  SELECT relnamespace, 'trigger', relname, tgname, json_build_object(
           'definition', pg_get_triggerdef(tg.oid),
           'enabled', CASE tgenabled WHEN 'O' THEN NULL ELSE tgenabled END)
    FROM rel JOIN pg_trigger tg ON tg.tgrelid = rel.oid AND NOT tgisinternal
), fact AS (
  SELECT ns.nspname, ns.prefix,
         json_build_array(kind, tbl, name, json_strip_nulls(details))::text AS fact
    FROM thing JOIN ns ON ns.oid = thing.ns
)

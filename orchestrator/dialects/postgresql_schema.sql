-- What is in some schemas of a database: one fact for each thing, as JSON.
-- :details is how the details are told: nulls left out, which costs a tenth of it all, or not.
-- :schemas and :without are arrays of text; without names what is left out, as schema.name.
-- Code that an extension made is that extension's: it is told by its version.
WITH RECURSIVE ns AS MATERIALIZED (
  SELECT n.oid, n.nspname,
         -- As it stands in JSON. Also what every fact is grouped by: a join at the end is planned
         -- as a loop.
         btrim(to_json(quote_ident(n.nspname) || '.')::text, '"') AS prefix
    FROM pg_namespace n WHERE n.nspname = ANY (:schemas)
), extended AS MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
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
  SELECT rel.prefix, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
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
           'replica identity', CASE WHEN relreplident NOT IN ('d', 'n') THEN relreplident
             WHEN relreplident = 'n' AND relkind IN ('r', 'p') THEN relreplident END,
           'server', fs.srvname,
           'foreign options', array_to_string(ft.ftoptions, ', '),
           'comment', d.description) AS details
    FROM rel
    LEFT JOIN pg_am am ON am.oid = rel.relam
    LEFT JOIN pg_foreign_table ft ON ft.ftrelid = rel.oid
    LEFT JOIN pg_foreign_server fs ON fs.oid = ft.ftserver
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
           'storage', CASE WHEN attstorage <> t.typstorage THEN attstorage END,
           'options', array_to_string(attoptions, ', '),
           'foreign options', array_to_string(attfdwoptions, ', '),
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
           'replica identity', CASE WHEN indisreplident THEN 'yes' END,
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
  UNION ALL
  SELECT rel.prefix, 'rule', relname, rulename, json_build_object(
           'definition', pg_get_ruledef(rw.oid),
           'enabled', CASE ev_enabled WHEN 'O' THEN NULL ELSE ev_enabled END)
    FROM rel JOIN pg_rewrite rw ON rw.ev_class = rel.oid AND rulename <> '_RETURN'
  UNION ALL
  SELECT rel.prefix, 'policy', relname, polname, json_build_object(
           'for', CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'to', (SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ', '
                                    ORDER BY r.rolname)
                    FROM unnest(polroles) AS one (id) LEFT JOIN pg_roles r ON r.oid = one.id),
           'using', pg_get_expr(polqual, polrelid),
           'with check', pg_get_expr(polwithcheck, polrelid),
           'restrictive', CASE WHEN NOT polpermissive THEN 'yes' END)
    FROM rel JOIN pg_policy po ON po.polrelid = rel.oid
  UNION ALL
  -- The body by itself: it is a text to the server, in whatever language.
  SELECT ns.prefix, CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, '',
         quote_ident(proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
         json_build_object(
           'definition', substr(def.head, strpos(def.head, '(')),
           'body', NULLIF(prosrc, ''),
           'language', lanname,
           'comment', d.description)
    FROM pg_proc p
    JOIN ns ON ns.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
   CROSS JOIN LATERAL (SELECT pg_get_functiondef(p.oid) AS text OFFSET 0) made
   CROSS JOIN LATERAL (SELECT CASE WHEN prosrc = '' THEN made.text ELSE
             left(made.text, length(made.text) - length(prosrc) + 1
                             - strpos(reverse(made.text), reverse(prosrc))) END AS head) def
    LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
   WHERE prokind IN ('f', 'p', 'w')
     AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM extended)
  UNION ALL
  SELECT ns.prefix, 'aggregate', '',
         quote_ident(proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')',
         json_build_object(
           'definition', concat_ws(', ', aggkind, aggnumdirectargs, aggtransfn, aggfinalfn,
             aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn,
             aggfinalextra, aggmfinalextra, aggfinalmodify, aggmfinalmodify,
             aggsortop::regoperator, format_type(aggtranstype, NULL), aggtransspace,
             format_type(NULLIF(aggmtranstype, 0), NULL), aggmtransspace, proparallel),
           'returns', pg_get_function_result(p.oid),
           'initial value', agginitval,
           'moving initial value', aggminitval,
           'comment', d.description)
    FROM pg_proc p
    JOIN ns ON ns.oid = p.pronamespace
    JOIN pg_aggregate ag ON ag.aggfnoid = p.oid
    LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
   WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM extended)
  UNION ALL
  SELECT ns.prefix, 'operator', '',
         oprname || '(' || concat_ws(', ', format_type(NULLIF(oprleft, 0), NULL),
                                     format_type(NULLIF(oprright, 0), NULL)) || ')',
         json_build_object(
           'definition', oprcode::text,
           'returns', format_type(NULLIF(oprresult, 0), NULL),
           'commutator', CASE WHEN oprcom <> 0 THEN oprcom::regoperator::text END,
           'negator', CASE WHEN oprnegate <> 0 THEN oprnegate::regoperator::text END,
           'restrict', CASE WHEN oprrest <> 0 THEN oprrest::text END,
           'join', CASE WHEN oprjoin <> 0 THEN oprjoin::text END,
           'hashes', CASE WHEN oprcanhash THEN 'yes' END,
           'merges', CASE WHEN oprcanmerge THEN 'yes' END)
    FROM pg_operator o
    JOIN ns ON ns.oid = o.oprnamespace
   WHERE ('pg_operator'::regclass, o.oid) NOT IN (SELECT classid, objid FROM extended)
  UNION ALL
  -- Of the schema that one of its types, or its function, is in.
  SELECT DISTINCT ON (ns.prefix, c.oid) ns.prefix, 'cast', '',
         format_type(castsource, NULL) || ' AS ' || format_type(casttarget, NULL),
         json_build_object(
           'function', CASE WHEN castfunc <> 0 THEN castfunc::regprocedure::text END,
           'context', castcontext, 'method', castmethod)
    FROM pg_cast c
    JOIN pg_type s ON s.oid = castsource
    JOIN pg_type t ON t.oid = casttarget
    LEFT JOIN pg_proc p ON p.oid = castfunc
    JOIN ns ON ns.oid IN (s.typnamespace, t.typnamespace, p.pronamespace)
   WHERE ('pg_cast'::regclass, c.oid) NOT IN (SELECT classid, objid FROM extended)
  UNION ALL
  SELECT ns.prefix, 'collation', '', collname, json_build_object(
           'definition', (to_jsonb(c) - ARRAY['oid', 'collname', 'collnamespace', 'collowner',
                                              'collversion'])::text)
    FROM pg_collation c
    JOIN ns ON ns.oid = c.collnamespace
   WHERE ('pg_collation'::regclass, c.oid) NOT IN (SELECT classid, objid FROM extended)
  UNION ALL
  SELECT ns.prefix, 'statistics', '', stxname, json_build_object(
           'definition', substr(def.text, strpos(def.text, ' ON ')),
           'kinds', array_to_string(stxkind, ', '))
    FROM pg_statistic_ext x
    JOIN ns ON ns.oid = x.stxnamespace
   CROSS JOIN LATERAL (SELECT pg_get_statisticsobjdef(x.oid) AS text OFFSET 0) def
  UNION ALL
  SELECT ns.prefix, 'extension', '', extname, json_build_object('version', extversion)
    FROM pg_extension x JOIN ns ON ns.oid = x.extnamespace
  UNION ALL
  SELECT rel.prefix, 'publication', relname, pubname, json_build_object(
           'definition', (to_jsonb(pu) - ARRAY['oid', 'pubname', 'pubowner'])::text
           :published)
    FROM rel
    JOIN pg_publication_rel pr ON pr.prrelid = rel.oid
    JOIN pg_publication pu ON pu.oid = pr.prpubid
  UNION ALL
  SELECT ns.prefix, 'publication', '', pubname, json_build_object(
           'definition', (to_jsonb(pu) - ARRAY['oid', 'pubname', 'pubowner'])::text)
    FROM ns, pg_publication pu WHERE puballtables
:more
), fact AS (
  SELECT prefix, json_build_array(kind, tbl, name, :details)::text AS fact
    FROM thing
)

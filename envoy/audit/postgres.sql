-- The audit log in PostgreSQL: one row for each event, written by rsyslog (rsyslog.conf), which inserts the line and nothing else.
--
-- The line stays as it came, byte by byte, so that `portcullis audit verify` can be run on what is stored:
--   psql -At -c 'SELECT line FROM audit ORDER BY row' | portcullis audit verify -
-- The other columns are read from it. A line that is there already is left out: an event counts once, however often it was
-- sent. What is no event, no JSON at all, or another line with the id of one that is there, is kept too, without an `id`.
CREATE TABLE audit (
    row      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line     text NOT NULL,
    event    jsonb,
    schema   text,
    id       text UNIQUE,
    time     timestamptz,
    action   text,
    object   text,
    outcome  text,
    rule     text,
    reason   text,
    issuer   text,
    subject  text,
    method   text,
    path     text,
    status   integer,
    address  text
);

CREATE INDEX audit_subject ON audit (subject, time);
CREATE INDEX audit_object ON audit (object, time);
CREATE INDEX audit_action ON audit (action, time);
CREATE INDEX audit_refused ON audit (time) WHERE outcome = 'denied';
CREATE INDEX audit_line ON audit (md5(line));
CREATE INDEX audit_event ON audit USING gin (event jsonb_path_ops);

CREATE FUNCTION audit_read_line() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    BEGIN
        NEW.event := NEW.line::jsonb;
        NEW.schema := NEW.event ->> 'schema';
        NEW.id := NEW.event ->> 'id';
        NEW.time := (NEW.event ->> 'time')::timestamptz;
        NEW.action := NEW.event ->> 'action';
        NEW.object := NEW.event ->> 'object';
        NEW.outcome := NEW.event ->> 'outcome';
        NEW.rule := NEW.event #>> '{decision,rule}';
        NEW.reason := NEW.event #>> '{decision,reason}';
        NEW.issuer := NEW.event #>> '{principal,issuer}';
        NEW.subject := NEW.event #>> '{principal,subject}';
        NEW.method := NEW.event #>> '{request,method}';
        NEW.path := NEW.event #>> '{request,path}';
        NEW.status := (NEW.event #>> '{response,status}')::integer;
        NEW.address := NEW.event #>> '{client,address}';
    EXCEPTION WHEN data_exception THEN
        -- No event of ours: the line alone is kept.
        NEW.id := NULL;
    END;
    IF EXISTS (SELECT FROM audit WHERE md5(line) = md5(NEW.line) AND line = NEW.line) THEN
        RETURN NULL;
    ELSIF EXISTS (SELECT FROM audit WHERE id = NEW.id) THEN
        -- Another line under the same name: somebody has to look at it.
        NEW.id := NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_read_line BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_read_line();

-- Who writes can only write: not read, change or delete what is there.
CREATE ROLE audit_writer LOGIN;
GRANT INSERT (line) ON audit TO audit_writer;

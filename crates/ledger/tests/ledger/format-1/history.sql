-- history.db as a program of format 1 made it: one alert that is over, one whose mail is under way.
PRAGMA application_id = 1398031944;
PRAGMA journal_mode = WAL;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (node INTEGER NOT NULL, boot INTEGER NOT NULL, upto INTEGER NOT NULL,
    PRIMARY KEY (node, boot)) WITHOUT ROWID;
CREATE TABLE trail (n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, log TEXT NOT NULL,
    seq INTEGER NOT NULL, kind TEXT NOT NULL, alert TEXT, who TEXT, via TEXT, from_ TEXT,
    text TEXT NOT NULL, json TEXT);
CREATE INDEX trail_of_alert ON trail (alert, n) WHERE alert IS NOT NULL;
CREATE INDEX trail_at ON trail (at);
CREATE TABLE rosters (digest TEXT PRIMARY KEY, people INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (id TEXT PRIMARY KEY, code TEXT, at INTEGER, source TEXT, severity INTEGER, summary TEXT,
    details TEXT, labels TEXT, route TEXT, system INTEGER, roster TEXT, updated_at INTEGER,
    acknowledged_at INTEGER, acknowledged_by TEXT, ended_at INTEGER, ended_by TEXT, why TEXT,
    closed_at INTEGER, sent INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL GENERATED ALWAYS AS (CASE WHEN closed_at IS NOT NULL THEN 'closed'
        WHEN ended_at IS NOT NULL THEN 'ended' WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
        ELSE 'open' END) VIRTUAL) WITHOUT ROWID;
CREATE INDEX alerts_at ON alerts (at, id);
CREATE INDEX alerts_state ON alerts (state, at, id);
CREATE TABLE notifications (id TEXT PRIMARY KEY, alert TEXT NOT NULL, recipient TEXT NOT NULL,
    channel TEXT NOT NULL, address TEXT NOT NULL, purpose TEXT NOT NULL, round INTEGER, step INTEGER,
    provider TEXT NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, why TEXT,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX notifications_of_alert ON notifications (alert, id);
INSERT INTO meta VALUES ('format', '1');
INSERT INTO marks VALUES (523934722, 4294967296, 11);
INSERT INTO rosters VALUES ('00', 1);
INSERT INTO alerts (id, code, at, source, severity, summary, details, labels, route, system, roster, updated_at,
    acknowledged_at, acknowledged_by, ended_at, ended_by, why, closed_at, sent, failed) VALUES
    ('1f3a9c02-100000000-1', 'A1', 1795165202000, 'scada', 2, 'pump 1 stopped', '', '{}', 'pumps', 0, '00',
        1795165202000, 1795165204000, 'recipient:anna', 1795165205000, 'source:scada', 'resolved', 1795165206000, 1, 0),
    ('1f3a9c02-100000000-7', 'A2', 1795165208000, 'scada', 2, 'pump 2 stopped', '', '{}', 'pumps', 0, '00',
        1795165208000, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0);
INSERT INTO notifications VALUES ('NOTIFICATION', '1f3a9c02-100000000-7', 'anna', 'mail', 'anna@x.test', 'alert',
    0, 0, 'smtp-a', 1, 'sending', NULL, 1795165209000, 1795165209000);
INSERT INTO trail (at, log, seq, kind, alert, text, json) VALUES
    (1795165202000, '1f3a9c02-100000000', 1, 'accept', '1f3a9c02-100000000-1', 'A1 accepted', '{"accept":{}}'),
    (1795165203000, '1f3a9c02-100000000', 3, 'done', '1f3a9c02-100000000-1', 'A1: told',
        '{"done":{"alert":"1f3a9c02-100000000-1","outcomes":[{"outcome":{"accepted":{"receipt":"250"}}},{"outcome":{"refused":{"then":"give-up","why":"550"}}},{"outcome":{"accepted":{"receipt":"250"}}},{"outcome":{"unknown":{"why":"lost"}}}]}}'),
    (1795165204000, '1f3a9c02-100000000', 4, 'ack', '1f3a9c02-100000000-1', 'anna acknowledged A1', '{"ack":{}}'),
    (1795165203500, '1f3a9c02-100000000', 6, 'done', '1f3a9c02-100000000-1', 'more than a row keeps', NULL),
    (1795165208000, '1f3a9c02-100000000', 7, 'accept', '1f3a9c02-100000000-7', 'A2 accepted', '{"accept":{}}');

-- ledger.db as a program of format 1 made it; the rows are added by the test.
PRAGMA application_id = 1398031940;
PRAGMA journal_mode = WAL;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logs (log INTEGER PRIMARY KEY, node INTEGER NOT NULL, boot INTEGER NOT NULL,
    upto INTEGER NOT NULL, UNIQUE (node, boot));
CREATE TABLE records (log INTEGER NOT NULL, seq INTEGER NOT NULL, alert_log INTEGER, alert_seq INTEGER,
    crc INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (log, seq)) WITHOUT ROWID;
CREATE INDEX records_of_alert ON records (alert_log, alert_seq) WHERE alert_log IS NOT NULL;
CREATE TABLE accepted (source TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL,
    alert_log INTEGER NOT NULL, alert_seq INTEGER NOT NULL, code_letter TEXT NOT NULL,
    code_number INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX accepted_at ON accepted (source, at);
CREATE TABLE codes (letter TEXT NOT NULL, hour INTEGER NOT NULL, highest INTEGER NOT NULL,
    last INTEGER NOT NULL, PRIMARY KEY (letter, hour)) WITHOUT ROWID;
CREATE TABLE quota (log INTEGER NOT NULL, provider TEXT NOT NULL, day INTEGER NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY (log, provider, day)) WITHOUT ROWID;
CREATE TABLE quarantine (node INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL, why TEXT NOT NULL);
INSERT INTO meta VALUES ('format', '1'), ('node', '523934722'), ('boots', '1'), ('clean', '1');

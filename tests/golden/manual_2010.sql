-- The tables of 2010, without any later column, holding the example of the manual's section 3.5.
-- pid_File and the number type of default_host are as they were then.
CREATE TABLE server (id INTEGER PRIMARY KEY,
    uuid TEXT,
    access_log TEXT,
    error_log TEXT,
    chroot TEXT DEFAULT '/var/www',
    pid_File TEXT,
    default_host INTEGER,
    name TEXT DEFAULT '',
    port INTEGER);
CREATE TABLE host (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    maintenance BOOLEAN DEFAULT 0,
    name TEXT,
    matching TEXT);
CREATE TABLE handler (id INTEGER PRIMARY KEY,
    send_spec TEXT,
    send_ident TEXT,
    recv_spec TEXT,
    recv_ident TEXT);
CREATE TABLE proxy (id INTEGER PRIMARY KEY,
    addr TEXT,
    port INTEGER);
CREATE TABLE directory (id INTEGER PRIMARY KEY,
    base TEXT,
    index_file TEXT,
    default_ctype TEXT);
CREATE TABLE route (id INTEGER PRIMARY KEY,
    path TEXT,
    reversed BOOLEAN DEFAULT 0,
    host_id INTEGER,
    target_id INTEGER,
    target_type TEXT);
CREATE TABLE setting (id INTEGER PRIMARY KEY, key TEXT, value TEXT);
CREATE TABLE statistic (id SERIAL,
    other_type TEXT,
    other_id INTEGER,
    name TEXT,
    sum REAL,
    sumsq REAL,
    n INTEGER,
    min REAL,
    max REAL,
    mean REAL,
    sd REAL,
    PRIMARY KEY (other_type, other_id, name));
CREATE TABLE mimetype (id INTEGER PRIMARY KEY, mimetype TEXT, extension TEXT);
CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY,
    who TEXT,
    what TEXT,
    location TEXT,
    happened_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    how TEXT,
    why TEXT);

INSERT INTO server (uuid, access_log, error_log, chroot, pid_File, default_host, name, port) VALUES
    ('2f62bd5-9e59-49cd-993c-3b6013c28f05', '/logs/access.log', '/logs/error.log', './',
     '/run/mongrel2.pid', 'mongrel2.org', 'main', 6767);
INSERT INTO host (server_id, name, matching) VALUES (1, 'mongrel2.org', 'mongrel2.org');
INSERT INTO handler (send_spec, send_ident, recv_spec, recv_ident) VALUES
    ('tcp://127.0.0.1:9999', '54c6755b-9628-40a4-9a2d-cc82a816345e', 'tcp://127.0.0.1:9998', ''),
    ('tcp://127.0.0.1:9997', '34f9ceee-cd52-4b7f-b197-88bf2f0ec378', 'tcp://127.0.0.1:9996', ''),
    ('tcp://127.0.0.1:9995', '53f9f1d1-1116-4751-b6ff-4fbe3e43d142', 'tcp://127.0.0.1:9994', '');
INSERT INTO proxy (addr, port) VALUES ('127.0.0.1', 80);
INSERT INTO directory (base, index_file, default_ctype) VALUES
    ('tests/', 'index.html', 'text/plain'),
    ('examples/chat/static/', 'index.html', 'text/plain');
INSERT INTO route (path, host_id, target_id, target_type) VALUES
    ('@chat', 1, 1, 'handler'),
    ('/handlertest', 1, 2, 'handler'),
    ('/chat/', 1, 1, 'proxy'),
    ('/', 1, 1, 'proxy'),
    ('/tests/', 1, 1, 'dir'),
    ('/testsmulti/(.*.json)', 1, 1, 'dir'),
    ('/chatdemo/', 1, 2, 'dir'),
    ('/static/', 1, 2, 'dir'),
    ('/mp3stream', 1, 3, 'handler');
INSERT INTO mimetype (mimetype, extension) VALUES ('text/html', '.html'), ('image/jpeg', '.jpg');
INSERT INTO setting (key, value) VALUES ('zeromq.threads', '1');

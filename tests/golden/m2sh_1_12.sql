-- A configuration as the m2sh of Mongrel2 1.12 (Debian) writes it: two servers, every kind of target,
-- dumped with `sqlite3 FILE .dump`. Of the 857 MIME rows a few are kept.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE server (id INTEGER PRIMARY KEY,
    uuid TEXT,
    access_log TEXT,
    error_log TEXT,
    chroot TEXT DEFAULT '/var/www',
    pid_file TEXT,
    control_port TEXT DEFAULT '',
    default_host TEXT,
    name TEXT DEFAULT '',
    bind_addr TEXT DEFAULT "0.0.0.0",
    port INTEGER,
    use_ssl INTEGER default 0);
INSERT INTO server VALUES(1,'f400bf85-4538-4f7a-8908-67e313d515c2','/logs/access.log','/logs/error.log','./','/run/mongrel2.pid','ipc://run/test-control','localhost','test','127.0.0.1',6767,0);
INSERT INTO server VALUES(2,'2f62bd5-9e59-49cd-993c-3b6013c28f05','/logs/other-access.log','/logs/other-error.log','/var/www','/run/other.pid','','other.test','other','0.0.0.0',6768,0);
CREATE TABLE host (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    maintenance BOOLEAN DEFAULT 0,
    name TEXT,
    matching TEXT);
INSERT INTO host VALUES(1,1,0,'localhost','localhost');
INSERT INTO host VALUES(2,1,0,'example.org','(.*).example.org');
INSERT INTO host VALUES(3,2,0,'other.test','other.test');
CREATE TABLE handler (id INTEGER PRIMARY KEY,
    send_spec TEXT,
    send_ident TEXT,
    recv_spec TEXT,
    recv_ident TEXT,
   raw_payload INTEGER DEFAULT 0,
   protocol TEXT DEFAULT 'json');
INSERT INTO handler VALUES(1,'tcp://127.0.0.1:9999','54c6755b-9628-40a4-9a2d-cc82a816345e','tcp://127.0.0.1:9998','',0,'json');
INSERT INTO handler VALUES(2,'ipc://run/app-send','34f9ceee-cd52-4b7f-b197-88bf2f0ec378','ipc://run/app-recv','34f9ceee-cd52-4b7f-b197-88bf2f0ec378',1,'tnetstring');
CREATE TABLE proxy (id INTEGER PRIMARY KEY,
    addr TEXT,
    port INTEGER);
INSERT INTO proxy VALUES(1,'127.0.0.1',8080);
CREATE TABLE directory (id INTEGER PRIMARY KEY,   base TEXT,   index_file TEXT,   default_ctype TEXT,   cache_ttl INTEGER DEFAULT 0);
INSERT INTO directory VALUES(1,'static/','index.html','text/html; charset=utf-8',30);
INSERT INTO directory VALUES(2,'other/','index.html','text/plain',0);
CREATE TABLE route (id INTEGER PRIMARY KEY,
    path TEXT,
    reversed BOOLEAN DEFAULT 0,
    host_id INTEGER,
    target_id INTEGER,
    target_type TEXT);
INSERT INTO route VALUES(1,'/',0,1,1,'dir');
INSERT INTO route VALUES(2,'@chat',0,1,1,'handler');
INSERT INTO route VALUES(3,'/app/',0,1,2,'handler');
INSERT INTO route VALUES(4,'/proxy',0,1,1,'proxy');
INSERT INTO route VALUES(5,'/handler',0,1,1,'handler');
INSERT INTO route VALUES(6,'/images/(\a-\-\d+\.jpg)',0,1,1,'dir');
INSERT INTO route VALUES(7,'/',0,2,2,'handler');
INSERT INTO route VALUES(8,'/',0,3,2,'dir');
CREATE TABLE setting (id INTEGER PRIMARY KEY, key TEXT, value TEXT);
INSERT INTO setting VALUES(1,'zeromq.threads','2');
INSERT INTO setting VALUES(2,'limits.min_ping','60');
INSERT INTO setting VALUES(3,'limits.buffer_size','8192');
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
    primary key (other_type, other_id, name));
CREATE TABLE mimetype (id INTEGER PRIMARY KEY, mimetype TEXT, extension TEXT);
INSERT INTO mimetype VALUES(147,'text/plain','.txt');
INSERT INTO mimetype VALUES(542,'text/html','.html');
INSERT INTO mimetype VALUES(653,'application/x-javascript','.js');
INSERT INTO mimetype VALUES(669,'application/x-gzip','.gz');
INSERT INTO mimetype VALUES(681,'image/jpeg','.jpg');
INSERT INTO mimetype VALUES(755,'application/x-font','.pcf');
INSERT INTO mimetype VALUES(780,'application/x-font','.pcf.Z');
CREATE TABLE filter (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    name TEXT,
    settings TEXT);
CREATE TABLE xrequest (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    name TEXT,
    settings TEXT);
CREATE TABLE log(id INTEGER PRIMARY KEY,
    who TEXT,
    what TEXT,
    location TEXT,
    happened_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    how TEXT,
    why TEXT);
COMMIT;

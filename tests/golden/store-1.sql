-- A store as ambient 0.1.0 (schema 1) wrote it; it must load for ever.
PRAGMA application_id = 1095582281;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE architectures (
    space TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID;
INSERT INTO "architectures" VALUES('tiny','0faf8619840d0ee0','{"batch_normalisation":true,"layers":[{"activation":"relu","dilation":1,"filters":4,"kernel":4,"operation":"convolution","reverse_complement":false},{"operation":"global_average"}],"recipe":{},"space":"tiny","space_version":1,"tokens":[3,1],"window_bp":null}');
INSERT INTO "architectures" VALUES('tiny','2c506a1017796c37','{"batch_normalisation":true,"layers":[{"activation":"relu","dilation":1,"filters":2,"kernel":4,"operation":"convolution","reverse_complement":false},{"operation":"global_max"}],"recipe":{},"space":"tiny","space_version":1,"tokens":[0,0],"window_bp":null}');
CREATE TABLE evaluations (
    task_hash TEXT NOT NULL, space TEXT NOT NULL, architecture TEXT NOT NULL,
    seed INTEGER NOT NULL, fidelity TEXT NOT NULL,
    task TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    reason TEXT NOT NULL, metrics TEXT NOT NULL,
    wall_seconds REAL NOT NULL, cpu_seconds REAL NOT NULL,
    device TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL,
    UNIQUE (task_hash, space, architecture, seed, fidelity)
);
INSERT INTO "evaluations" VALUES('0123456789abcdef','tiny','2c506a1017796c37',0,'92f9cb121c32ea39','tiny','done','','{"test_auroc":null,"validation_auroc":0.30000000000000004}',1.5,1.25,'cpu','somewhere','0.1.0','2026-11-21T06:05:42+00:00');
INSERT INTO "evaluations" VALUES('feed','tiny','0faf8619840d0ee0',1,'92f9cb121c32ea39','other','done','','{"test_auroc":null,"validation_auroc":0.75}',2.0,0.0,'cpu','somewhere','0.1.0','2026-11-21T06:05:42+00:00');
INSERT INTO "evaluations" VALUES('0123456789abcdef','tiny','2c506a1017796c37',2,'92f9cb121c32ea39','tiny','failed','no	room
','{}',0.0,0.0,'cpu','somewhere','0.1.0','2026-11-21T06:05:42+00:00');
INSERT INTO "evaluations" VALUES('0123456789abcdef','tiny','2c506a1017796c37',9223372036854775807,'an older recipe','tiny','done','','{"test_auroc":null,"validation_auroc":0.75}',0.0,0.0,'cpu','somewhere','0.1.0','2026-11-21T06:05:42+00:00');
CREATE TABLE fidelities (hash TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "fidelities" VALUES('92f9cb121c32ea39','{"batch_size":8,"epochs":2,"keep_from":0.5,"learning_rate":0.005,"members":1,"name":"search","patience":10,"precision":"bfloat16","reverse_complement":true,"seeded_filters":0.75,"shift_bp":32,"warm_up":0.3,"weight_decay":0.01,"windows_per_epoch":32}');
INSERT INTO "fidelities" VALUES('an older recipe','{"batch_size":8,"epochs":2,"keep_from":0.5,"learning_rate":0.005,"members":1,"name":"search","patience":10,"precision":"bfloat16","reverse_complement":true,"seeded_filters":0.75,"shift_bp":32,"warm_up":0.3,"weight_decay":0.01,"windows_per_epoch":32}');
CREATE INDEX evaluations_by_task ON evaluations (task);
COMMIT;

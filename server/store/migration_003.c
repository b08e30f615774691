/* Schema 3: the deadline that a run learns. Runs from before keep the one that they were given. */
#include "server/store/internal.h"

const char *const store_migration_003 =
    "ALTER TABLE runs ADD COLUMN soft_min_ms INTEGER NOT NULL DEFAULT 0 CHECK(soft_min_ms >= 0);"
    "ALTER TABLE runs ADD COLUMN soft_max_ms INTEGER NOT NULL DEFAULT 0 CHECK(soft_max_ms >= 0);"
    "ALTER TABLE runs ADD COLUMN soft_learn INTEGER NOT NULL DEFAULT 0"
    " CHECK(soft_learn BETWEEN 0 AND 1);"
    "ALTER TABLE runs ADD COLUMN report_ms INTEGER NOT NULL DEFAULT 0 CHECK(report_ms >= 0);";

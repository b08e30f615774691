/* Schema 4: the interval between a run's rounds. Runs from before have none. */
#include "server/store/internal.h"

const char *const store_migration_004 =
    "ALTER TABLE runs ADD COLUMN interval_ms INTEGER NOT NULL DEFAULT 0"
    " CHECK(interval_ms >= 0);";

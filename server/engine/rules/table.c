/* The table of rules and finding one by name, also by a misspelt one. */
#include <string.h>

#include "server/engine/rules/rule_internal.h"

static const struct rule *const rules[] = {
    &rule_fedavg,  &rule_fedavgm,     &rule_fedadagrad, &rule_fedadam,
    &rule_fedyogi, &rule_fedprox,     &rule_scaffold,   &rule_fednova,
    &rule_qfedavg, &rule_centredclip, &rule_fltrust,    &rule_median,
    &rule_trimmed, &rule_krum,        &rule_multikrum,  &rule_rfa,
};

#define RULES (sizeof rules / sizeof rules[0])

uint32_t rule_count(void)
{
    return RULES;
}

const struct rule *rule_at(uint32_t index)
{
    return index < RULES ? rules[index] : NULL;
}

const struct rule *rule_find(const char *name)
{
    for (uint32_t i = 0; i < RULES; i++) {
        if (strcmp(rules[i]->name, name) == 0) {
            return rules[i];
        }
    }
    return NULL;
}

/* Insertions, deletions and replacements that turn a into b (Wagner and Fischer 1974). */
static uint32_t edit_distance(const char *a, const char *b)
{
    uint32_t row[RULE_NAME_BYTES_MAX + 1u];
    uint32_t columns = (uint32_t)strlen(b);
    for (uint32_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (uint32_t i = 0; a[i]; i++) {
        uint32_t diagonal = row[0];
        row[0] = i + 1u;
        for (uint32_t j = 1; j <= columns; j++) {
            uint32_t replaced = diagonal + (a[i] != b[j - 1u]);
            uint32_t shorter = (row[j] < row[j - 1u] ? row[j] : row[j - 1u]) + 1u;
            diagonal = row[j];
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[columns];
}

const struct rule *rule_nearest(const char *name)
{
    const struct rule *nearest = NULL;
    uint32_t best = 4; /* three slips are a typo, four another word */
    if (strlen(name) > RULE_NAME_BYTES_MAX) {
        return NULL;
    }
    for (uint32_t i = 0; i < RULES; i++) {
        uint32_t distance = edit_distance(name, rules[i]->name);
        if (distance < best && distance < strlen(rules[i]->name)) {
            best = distance;
            nearest = rules[i];
        }
    }
    return nearest;
}

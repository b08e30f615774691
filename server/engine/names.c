/*
 * The engine's enums in words, out of the tables in types.h and action.h.
 */
#include "server/engine/action.h"

#include <stddef.h>

#define NAME2(name, text) text,
#define NAME3(name, error, text) #name,
#define TEXT3(name, error, text) text,
#define ERROR3(name, error, text) error,
#define NAME1(name) #name,

static const char *const phases[] = {ENGINE_PHASE_TABLE(NAME2)};
static const char *const states[] = {ENGINE_ROUND_TABLE(NAME2)};
static const char *const why_names[] = {ENGINE_WHY_TABLE(NAME3)};
static const char *const why_texts[] = {ENGINE_WHY_TABLE(TEXT3)};
static const int why_errors[] = {ENGINE_WHY_TABLE(ERROR3)};
static const char *const audits[] = {ENGINE_AUDIT_TABLE(NAME1)};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *name_at(const char *const *names, size_t count, size_t index)
{
    return index < count ? names[index] : "?";
}

const char *engine_phase_name(enum engine_phase phase)
{
    return name_at(phases, COUNT(phases), (size_t)phase);
}

const char *engine_round_name(enum engine_round_state state)
{
    return name_at(states, COUNT(states), (size_t)state);
}

const char *engine_why_name(enum engine_why why)
{
    return name_at(why_names, COUNT(why_names), (size_t)why);
}

const char *engine_why_text(enum engine_why why)
{
    return name_at(why_texts, COUNT(why_texts), (size_t)why);
}

int engine_why_error(enum engine_why why)
{
    return (size_t)why < COUNT(why_errors) ? why_errors[why] : MYCEL_OK;
}

const char *engine_audit_name(enum engine_audit what)
{
    return name_at(audits, COUNT(audits), (size_t)what);
}

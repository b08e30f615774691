/* A shuffle within each part. */
#include "data/split.h"

#include "common/rng.h"
#include "data/spec_text.h"

#define STREAM_SPLIT 211u
#define PERMILLE 1000u

int split_parse(const char *text, struct split_spec *spec, char *problem)
{
    static const char *const names[] = {"training's share", "validation's share", "test's share"};
    struct spec_text s = {text, text, problem};
    uint32_t sum = 0;
    for (unsigned i = 0; i < SPLIT_SHARES; i++) {
        float value;
        struct spec_key key = {names[i], i == SPLIT_TRAIN ? 1.0f : 0.0f, PERMILLE, true, &value};
        if (i > 0 && !spec_take(&s, '/')) {
            return spec_fail(&s, "'/' and %s are missing", names[i]);
        }
        int rc = spec_number(&s, &key);
        if (rc < 0) {
            return rc;
        }
        spec->permille[i] = (uint16_t)value;
        sum += spec->permille[i];
    }
    int rc = spec_end(&s);
    return rc < 0 || sum == PERMILLE ? rc : spec_fail(&s, "the shares are %u permille", sum);
}

void split_sizes(const struct split_spec *spec, uint32_t count, uint32_t sizes[SPLIT_SHARES])
{
    for (unsigned i = SPLIT_VALIDATION; i <= SPLIT_TEST; i++) {
        sizes[i] = (uint32_t)((uint64_t)count * spec->permille[i] / PERMILLE);
    }
    sizes[SPLIT_TRAIN] = count - sizes[SPLIT_VALIDATION] - sizes[SPLIT_TEST];
}

void split_all(const struct split_spec *spec, uint64_t seed, struct partition *p)
{
    for (uint32_t part = 0; part < p->parts && spec->permille[SPLIT_TRAIN] < PERMILLE; part++) {
        uint32_t *indices = p->indices + p->offsets[part];
        for (uint32_t i = p->offsets[part + 1u] - p->offsets[part]; i > 1; i--) {
            uint32_t k = rng_below(seed, STREAM_SPLIT, ((uint64_t)part << 32) + i, i);
            uint32_t swap = indices[i - 1u];
            indices[i - 1u] = indices[k];
            indices[k] = swap;
        }
    }
}

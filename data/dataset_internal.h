/* What the readers of the formats share. Only data/ includes this. */
#ifndef MYCEL_DATA_DATASET_INTERNAL_H
#define MYCEL_DATA_DATASET_INTERNAL_H

#include "data/dataset.h"

#include <stdbool.h>

/* Whether a finite number can be a label. */
bool target_is_label(float value);

/* Turns what a reader put into `targets` into labels, where they are wanted. MALFORMED: `*odd` is the
 * first sample whose target is no label; NO_MEMORY. */
int dataset_settle_targets(struct dataset *set, enum dataset_target wanted, uint32_t *odd);

#endif

/*
 * What a build of the trainer contains. Each option below is 1 (in) or 0 (left out); a host has
 * everything. A build for a small device sets -DMYCEL_NN_DENSE_ONLY, which turns the default to 0,
 * or single options, such as -DMYCEL_NN_WITH_INT8=0, or the preset and what it adds:
 * -DMYCEL_NN_DENSE_ONLY -DMYCEL_NN_WITH_ADAMW=1. Always in: dense layers, ReLU, softmax with
 * cross-entropy, plain SGD at a constant rate, floats as inputs. What is left out takes no flash,
 * and mycel_nn_plan refuses a model or config that asks for it (MYCEL_E_UNSUPPORTED). A plan made
 * elsewhere is not looked at again: it must come from a build with the same options.
 *
 * Checkpoints, prediction, scores, the planner and the model's parser need no option: a program
 * that does not call them does not link them (with -ffunction-sections and --gc-sections).
 */
#ifndef MYCEL_NN_BUILD_H
#define MYCEL_NN_BUILD_H

#ifdef MYCEL_NN_DENSE_ONLY
#define MYCEL_NN_WITH_DEFAULT 0
#else
#define MYCEL_NN_WITH_DEFAULT 1
#endif

#ifndef MYCEL_NN_WITH_CONV /* conv, conv1d, pointwise */
#define MYCEL_NN_WITH_CONV MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_DEPTHWISE
#define MYCEL_NN_WITH_DEPTHWISE MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_POOLS
#define MYCEL_NN_WITH_POOLS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_NORMS /* groupnorm, batchnorm */
#define MYCEL_NN_WITH_NORMS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_DROPOUT
#define MYCEL_NN_WITH_DROPOUT MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_ADD /* residuals */
#define MYCEL_NN_WITH_ADD MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_INT8
#define MYCEL_NN_WITH_INT8 MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_ACTIVATIONS /* all but ReLU and softmax */
#define MYCEL_NN_WITH_ACTIVATIONS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_LOSSES /* all but cross-entropy */
#define MYCEL_NN_WITH_LOSSES MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_MOMENTUM /* and Nesterov's */
#define MYCEL_NN_WITH_MOMENTUM MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_ADAMW
#define MYCEL_NN_WITH_ADAMW MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_GRADIENTS /* whole gradients: clipping, micro-batches; SGD's weight decay */
#define MYCEL_NN_WITH_GRADIENTS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_FEDERATED_TERMS /* FedProx, SCAFFOLD */
#define MYCEL_NN_WITH_FEDERATED_TERMS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_SCHEDULES /* and warm-up */
#define MYCEL_NN_WITH_SCHEDULES MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_SHUFFLE /* else samples come in the order in which the caller gives them */
#define MYCEL_NN_WITH_SHUFFLE MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_INPUTS /* u8 and i8 inputs, scale and shift */
#define MYCEL_NN_WITH_INPUTS MYCEL_NN_WITH_DEFAULT
#endif
#ifndef MYCEL_NN_WITH_HOST /* what trades memory or code for speed, for processors with caches */
#if defined(__x86_64__) || defined(__aarch64__)
#define MYCEL_NN_WITH_HOST 1
#else
#define MYCEL_NN_WITH_HOST 0
#endif
#endif

/* Whether a kind of layer is in that reads the input as a tensor. */
#define NN_WITH_INPUT_TENSOR                                                                       \
    (MYCEL_NN_WITH_DEPTHWISE || MYCEL_NN_WITH_POOLS || MYCEL_NN_WITH_NORMS ||                      \
     MYCEL_NN_WITH_DROPOUT || MYCEL_NN_WITH_ADD)

/* Whether anything but plain SGD needs a gradient apart from the weights. */
#define NN_WITH_UPDATES                                                                            \
    (MYCEL_NN_WITH_MOMENTUM || MYCEL_NN_WITH_ADAMW || MYCEL_NN_WITH_GRADIENTS ||                   \
     MYCEL_NN_WITH_FEDERATED_TERMS)

#endif

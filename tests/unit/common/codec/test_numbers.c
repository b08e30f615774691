/* The codecs' numbers and limits are part of two interfaces, which must not drift apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/codec/codec.h"
#include "proto/limits.h"
#include "proto/mycel.pb.h"

static void numbers_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(CODEC_F32, mycel_Codec_CODEC_F32);
    assert_int_equal(CODEC_F16, mycel_Codec_CODEC_F16);
    assert_int_equal(CODEC_INT8, mycel_Codec_CODEC_INT8);
    assert_int_equal(CODEC_INT4, mycel_Codec_CODEC_INT4);
    assert_int_equal(CODEC_EDEN2, mycel_Codec_CODEC_EDEN2);
    assert_int_equal(CODEC_DRIVE1, mycel_Codec_CODEC_DRIVE1);
    assert_int_equal(CODEC_SIGN, mycel_Codec_CODEC_SIGN);
    assert_int_equal(CODEC_TERNARY, mycel_Codec_CODEC_TERNARY);
    assert_int_equal(CODEC_TOPK, mycel_Codec_CODEC_TOPK);
    assert_int_equal(CODEC_COUNT, _mycel_Codec_MAX + 1);
}

static void limits_are_those_of_the_protocol(void **state)
{
    (void)state;
    assert_int_equal(CODEC_PARAMS_MAX, PROTO_MODEL_PARAMS_MAX);
    assert_true(PROTO_SAMPLES_MAX <= CODEC_WEIGHT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_protocol),
        cmocka_unit_test(limits_are_those_of_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

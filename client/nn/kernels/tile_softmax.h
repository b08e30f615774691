/*
 * Exponential and softmax over vectors of TILE_WIDTH lanes. Part of tile.h, which includes it once
 * for each width with its macros defined; never included by itself.
 */

/* e^x within 2 units in the last place for x <= 88; below -87 it is about 1e-38. */
NN_INLINE TILE(vector) TILE(exp)(TILE(vector) x)
{
    const TILE(vector) round =
        TILE(splat)(12582912.0f); /* 1.5 x 2^23: integers land in the low bits */
    TILE(vector) low = TILE(splat)(-87.0f);
    x = TILE(choose)(x < low, low, x);
    TILE(vector) shifted = TILE_FMA(x, TILE(splat)(1.44269504f), round);
    TILE(vector) k = shifted - round;
    x = TILE_FMA(k, TILE(splat)(-0.693359375f), x);
    x = TILE_FMA(k, TILE(splat)(2.12194440e-4f), x);
    TILE(vector) y = TILE(splat)(1.9875691500e-4f);
    y = TILE_FMA(y, x, TILE(splat)(1.3981999507e-3f));
    y = TILE_FMA(y, x, TILE(splat)(8.3334519073e-3f));
    y = TILE_FMA(y, x, TILE(splat)(4.1665795894e-2f));
    y = TILE_FMA(y, x, TILE(splat)(1.6666665459e-1f));
    y = TILE_FMA(y, x, TILE(splat)(5.0000001201e-1f));
    y = TILE_FMA(y, x * x, x) + 1.0f;
    TILE(ints) power = ((TILE(ints))shifted - (TILE(ints))round + 127) << 23;
    return y * (TILE(vector))power;
}

/* The largest, or the sum, of a vector's lanes, in all of them. */
NN_INLINE TILE(vector) TILE(across)(TILE(vector) v, bool largest)
{
    TILE(ints) lane = {0};
    NN_UNROLL for (int32_t i = 0; i < TILE_WIDTH; i++)
    {
        lane[i] = i;
    }
    NN_UNROLL for (int32_t step = TILE_WIDTH / 2; step > 0; step /= 2)
    {
        TILE(vector) other = __builtin_shuffle(v, lane ^ step);
        v = largest ? TILE(choose)(v < other, other, v) : v + other;
    }
    return v;
}

/* Value where the lane belongs to a class, `rest` behind them. */
NN_INLINE TILE(vector) TILE(classes)(TILE(vector) value, int32_t classes, float rest)
{
    TILE(ints) lane = {0};
    NN_UNROLL for (int32_t i = 0; i < TILE_WIDTH; i++)
    {
        lane[i] = i;
    }
    return TILE(choose)(lane < classes, value, TILE(splat)(rest));
}

/* Softmax of a row that fits a vector: nothing is stored and read again. */
NN_INLINE void TILE(softmax_short)(float *y, uint32_t classes, TILE_MASK m)
{
    TILE(vector) value = TILE(classes)(TILE_LOAD(y, m), (int32_t)classes, -3.402823466e38f);
    value = TILE(exp)(value - TILE(across)(value, true));
    value = TILE(classes)(value, (int32_t)classes, 0.0f);
    TILE_STORE(y, value * (1.0f / TILE(across)(value, false)[0]), m);
}

/* Softmax of any row; `last` is the mask of the vector that it ends in. */
NN_INLINE void TILE(softmax_row)(float *y, uint32_t ld, uint32_t classes, TILE_MASK all,
                                 TILE_MASK last)
{
    const float lowest = -3.402823466e38f;
    TILE(vector) high = TILE(splat)(lowest);
    if (ld <= TILE_WIDTH) {
        TILE(softmax_short)(y, classes, last);
        return;
    }
    for (uint32_t at = 0; at < ld; at += TILE_WIDTH) {
        TILE_MASK m = at + TILE_WIDTH < ld ? all : last;
        TILE(vector) value = TILE(classes)(TILE_LOAD(y + at, m), (int32_t)(classes - at), lowest);
        high = TILE(choose)(value < high, high, value);
    }
    high = TILE(across)(high, true);
    TILE(vector) sum = {0};
    for (uint32_t at = 0; at < ld; at += TILE_WIDTH) {
        TILE_MASK m = at + TILE_WIDTH < ld ? all : last;
        TILE(vector) value = TILE(exp)(TILE_LOAD(y + at, m) - high);
        value = TILE(classes)(value, (int32_t)(classes - at), 0.0f);
        TILE_STORE(y + at, value, m);
        sum += value;
    }
    TILE(vector) scale = TILE(splat)(1.0f / TILE(across)(sum, false)[0]);
    for (uint32_t at = 0; at < ld; at += TILE_WIDTH) {
        TILE_MASK m = at + TILE_WIDTH < ld ? all : last;
        TILE_STORE(y + at, TILE_LOAD(y + at, m) * scale, m);
    }
}

/* Looks up the error table of <mycel/error.h>. Owns no state. */
#include <mycel/error.h>

#include <stddef.h>

struct error_row {
    int code;
    enum mycel_error_class cls;
    const char *name;
    const char *text;
};

static const struct error_row rows[] = {
#define ROW(name, value, cls, text) {value, MYCEL_CLASS_##cls, #name, text},
    MYCEL_ERROR_TABLE(ROW)
#undef ROW
};

static const struct error_row *row_of(int code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *mycel_error_name(int code)
{
    if (code >= 0) {
        return "OK";
    }
    const struct error_row *row = row_of(code);
    return row ? row->name : "UNKNOWN";
}

const char *mycel_error_text(int code)
{
    if (code >= 0) {
        return "success";
    }
    const struct error_row *row = row_of(code);
    return row ? row->text : "unknown error";
}

enum mycel_error_class mycel_error_class(int code)
{
    if (code >= 0) {
        return MYCEL_CLASS_NONE;
    }
    const struct error_row *row = row_of(code);
    return row ? row->cls : MYCEL_CLASS_LOCAL;
}

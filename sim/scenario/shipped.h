/* The scenarios that come with the program. The texts are those of sim/scenario/shipped/, put in by the build
 * (cmake/Embed.cmake). */
#ifndef MYCEL_SIM_SCENARIO_SHIPPED_H
#define MYCEL_SIM_SCENARIO_SHIPPED_H

struct shipped_scenario {
    const char *name; /* of the file, without its ending */
    const char *text; /* INI */
};

/* Sorted by name; ends with a row of NULLs. */
extern const struct shipped_scenario shipped_scenarios[];

#endif

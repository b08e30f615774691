/* Start-up of the emulated Cortex-M4F: FPU on, data and zeros in place, main, exit by semihosting. */
#include <stdint.h>
#include <string.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* ARMv7-M: coprocessor access */
#define CPACR_FPU (0xFu << 20)

extern uint32_t data_load, data_start, data_end, bss_start, bss_end, stack_top;
extern void initialise_monitor_handles(void);
extern void _exit(int code) __attribute__((noreturn));
int main(void);
void reset_handler(void);

void reset_handler(void)
{
    CPACR |= CPACR_FPU;
    __asm volatile("dsb\n isb");
    memcpy(&data_start, &data_load, (size_t)((char *)&data_end - (char *)&data_start));
    memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
    initialise_monitor_handles();
    _exit(main());
}

static void fault(void)
{
    _exit(99);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top,          (const void *)reset_handler, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,         (const void *)fault};

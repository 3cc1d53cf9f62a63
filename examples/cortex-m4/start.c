/* start.c: from reset to main on a bare Cortex-M4F, with input and output by semihosting (newlib's rdimon). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern char data_at[], data_begin[], data_end[], __bss_start__[], __bss_end__[], stack_top[];
int main(void);
void initialise_monitor_handles(void);
void reset(void);

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {(uintptr_t)stack_top, (uintptr_t)reset};

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: the floating-point unit is on */
    memcpy(data_begin, data_at, (size_t)(data_end - data_begin));
    memset(__bss_start__, 0, (size_t)(__bss_end__ - __bss_start__));
    initialise_monitor_handles();
    exit(main());
}

/* The service manager's notifications (sd_notify(3)), by hand: one datagram to NOTIFY_SOCKET.
 * Control thread. Silent where nobody asked for them.
 */
#pragma once

#include <stdint.h>

/* READY=1 and so on; several lines in one text are one message. */
void notify(const char *text);
void notify_reloading(void);
/* Half of WATCHDOG_USEC in ns, 0: no watchdog wanted. */
uint64_t notify_watchdog_ns(void);

/* How a trace begins that the environment asks for. */
#ifndef BINE_CORE_WATCH_TRACE_CONTROL_H
#define BINE_CORE_WATCH_TRACE_CONTROL_H

/* Called on the thread of a hub that has been made. Obeys BINE_TRACE, once for the process. */
void bine_trace_meet(void);

#endif

/* The names of statuses. */
#ifndef BINE_HTTP_STATUS_H
#define BINE_HTTP_STATUS_H

/* Returns "Not Found" for 404, and "" for a status without a name. */
const char *bine_http_status_name(int status);

#endif

/* Makes an io_uring of its own. Prints the result. */
#include <liburing.h>
#include <stdio.h>

int main(void)
{
    struct io_uring ring;
    printf("%d\n", io_uring_queue_init(8, &ring, 0));
    return 0;
}

/* An auditor (rtld-audit(7)) that leaves a file behind where it runs. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_a_trace(void)
{
    close(open("was_run", O_CREAT | O_WRONLY, 0600));
}

unsigned la_version(unsigned version);
unsigned la_version(unsigned version)
{
    leave_a_trace();
    return version;
}

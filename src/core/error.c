/* Errors in words. See bine/hub.h. */
#include <bine/hub.h>

#include <errno.h>
#include <string.h>

const char *bine_strerror(int error)
{
    static _Thread_local char words[128];
    switch (error) {
    case ECANCELED:
        return "The greenlet was killed";
    case ETIMEDOUT:
        return "The time is up";
    case EDEADLK:
        return "Nothing is left that could end the wait";
    case ESRCH:
        return "Its thread has ended";
    case EOVERFLOW:
        return "More was given back than was taken";
    case ENODATA:
        return "The stream ended in the middle";
    default:
        return strerror_r(error, words, sizeof words);
    }
}

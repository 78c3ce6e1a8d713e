/* A library that constructors and destructors of others call, for the test to wait in. */
extern void (*meeting_hook)(const char *where);
void meeting(const char *where);

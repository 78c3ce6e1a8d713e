/* Threads that are confined by themselves: the offload pool does nothing for them that they may not
 * do. */
#include <bine.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "harness.h"
#include "io/file/file.h"
#include "io/filter.h"
#include "io/offload/confine.h"
#include "io/offload/offload.h"
#include "libc/libc.h"

enum {
    SOMEBODY = 65534 /* a user that is not root */
};

static void need_root(void)
{
    if (geteuid() != 0)
        SKIP("needs root");
    harness_not_under_emulator("it passes these calls on in ways of its own");
}

static void *thread_id(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)gettid();
}

/* The thread that makes the offloaded calls of this one. */
static pid_t offload_id(void)
{
    void *id;
    CHECK_OK(bine_offload(thread_id, NULL, &id));
    return (pid_t)(intptr_t)id;
}

static bool offloads(void)
{
    return offload_id() != gettid();
}

/* Everything is patched, every path is slow, and the pool has a thread that is not confined. */
static void begin(void)
{
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(bine_patch_all());
    bine_path_assume(1);
    CHECK(offloads());
}

static char secret[64];

static void make_secret(void)
{
    strcpy(secret, "/tmp/bine-test-XXXXXX");
    int fd = mkstemp(secret); /* 0600, root's */
    CHECK_OK(fd);
    close(fd);
}

static void remove_secret(void)
{
    bine_libc.unlink(secret);
}

TEST(hazard_82_paths_are_opened_with_the_file_system_id_of_the_thread)
{
    need_root();
    begin();
    make_secret();
    setfsuid(SOMEBODY);
    CHECK_ERROR(open(secret, O_RDONLY), EACCES);
    setfsuid(0);
    remove_secret();
    CHECK(!offloads());
}

TEST(an_id_that_does_not_change_confines_nobody)
{
    need_root();
    begin();
    CHECK_EQ(setfsuid(0), 0);
    CHECK_EQ(setfsuid((uid_t)-1), 0);
    CHECK_EQ(setfsgid(0), 0);
    CHECK(offloads());
}

TEST(hazard_82_a_filter_of_the_thread_holds)
{
    harness_not_under_emulator("its own calls are not the program's");
    begin();
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(offloads()); /* that alone changes nothing that is asked of the pool */
    filter_fails(SYS_mkdirat, EPERM);
    CHECK_ERROR(mkdirat(AT_FDCWD, "/tmp/bine-test-forbidden", 0700), EPERM);
    CHECK(!offloads());
}

/* After unshare: nothing that is mounted shows outside. */
static void keep_mounts_here(void)
{
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        SKIP("the root folder is no mount point here (chroot): %s", strerror(errno));
}

TEST(hazard_82_namespaces_of_the_thread_are_seen)
{
    need_root();
    begin();
    make_secret();
    if (unshare(CLONE_NEWNS) < 0)
        SKIP("no namespaces here");
    keep_mounts_here();
    CHECK_OK(mount("bine", "/tmp", "tmpfs", 0, NULL));
    struct stat status;
    CHECK_ERROR(stat(secret, &status), ENOENT);
    CHECK_OK(umount2("/tmp", MNT_DETACH));
    remove_secret();
}

TEST(hazard_82_a_thread_that_says_so_is_confined)
{
    begin();
    bine_offload_confine();
    CHECK(!offloads());
    struct addrinfo *found = NULL;
    CHECK_EQ(getaddrinfo("localhost", NULL, NULL, &found), 0); /* by this thread */
    freeaddrinfo(found);
}

TEST(a_failed_call_confines_nobody)
{
    begin();
    CHECK_ERROR(setns(-1, 0), EBADF);
    CHECK_ERROR(prctl(PR_SET_SECCOMP, 99, 0), EINVAL);
    CHECK(offloads());
}

static void *new_thread(void *unused)
{
    (void)unused;
    CHECK(bine_hub_get() != NULL);
    return (void *)(intptr_t)offloads();
}

static bool new_thread_offloads(void)
{
    pthread_t thread;
    void *result;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, new_thread, NULL), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, &result), 0);
    return result;
}

/* It may be a child of the confined one. */
TEST(hazard_82_threads_first_seen_later_are_confined_too)
{
    begin();
    CHECK(new_thread_offloads());
    bine_offload_confine();
    CHECK(!new_thread_offloads());
}

static bool stays_free;

static void *stay_free(void *unused)
{
    (void)unused;
    stays_free = offloads();
    return NULL;
}

static void *confine_another(void *unused)
{
    bine_offload_confine();
    return unused;
}

TEST(other_threads_stay_free)
{
    begin();
    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, confine_another, NULL), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, NULL), 0);
    CHECK_OK(bine_join(bine_spawn(stay_free, NULL), NULL, BINE_FOREVER));
    CHECK(stays_free);
}

/* A number is another file in the pool. */
TEST(hazard_82_a_thread_with_descriptors_of_its_own_reads_them_itself)
{
    need_root();
    begin();
    CHECK_OK(unshare(CLONE_FILES));
    int ends[2];
    CHECK_OK(pipe(ends));
    FILE *reading = fdopen(ends[0], "r");
    wchar_t line[16];
    CHECK_EQ(write(ends[1], "here\n", 5), 5);
    CHECK(fgetws(line, 16, reading) != NULL);
    CHECK_EQ(wcscmp(line, L"here\n"), 0);
    fclose(reading);
    close(ends[1]);
}

/* ---- the rights of the pool's threads -------------------------------------------------------- */

static void *make_call(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)(bine_libc.syscall(SYS_getppid) < 0 ? errno : 0);
}

/* The errno of a system call that the pool makes. 0: a filter for getppid does not confine its
 * thread. */
static int error_in_pool(void)
{
    void *error;
    CHECK_OK(bine_offload(make_call, NULL, &error));
    return (int)(intptr_t)error;
}

static void read_wide_line(void)
{
    int ends[2];
    wchar_t line[16];
    CHECK_OK(pipe(ends));
    FILE *reading = fdopen(ends[0], "r");
    CHECK_EQ(write(ends[1], "here\n", 5), 5);
    CHECK(fgetws(line, 16, reading) != NULL);
    fclose(reading);
    close(ends[1]);
}

static void *read_while_confined(void *unused)
{
    CHECK(bine_hub_get() != NULL);
    filter_fails(SYS_getppid, EPERM);
    size_t before = bine_offload_threads();
    read_wide_line();
    CHECK_EQ(bine_offload_threads(), before + 1); /* the pool may still read for it */
    return unused;
}

TEST(hazard_82_a_thread_that_a_confined_one_makes_serves_no_other)
{
    harness_not_under_emulator("its own calls are not the program's");
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(bine_patch_all());
    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, read_while_confined, NULL), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, NULL), 0);
    CHECK_EQ(error_in_pool(), 0);
}

struct confining {
    sem_t open;
    atomic_bool entered;
    pid_t id;
};

static void *confine_worker(void *arg)
{
    struct confining *confining = arg;
    atomic_store(&confining->entered, true);
    while (bine_libc.sem_wait(&confining->open) != 0)
        ;
    filter_fails(SYS_getppid, EPERM);
    bine_offload_confine();
    confining->id = gettid();
    return NULL;
}

static void *offload_confine_worker(void *arg)
{
    CHECK_OK(bine_offload(confine_worker, arg, NULL));
    return NULL;
}

static void *offload_call(void *error)
{
    *(int *)error = error_in_pool();
    return NULL;
}

TEST(hazard_82_a_job_that_confines_its_thread_is_its_last)
{
    harness_not_under_emulator("its own calls are not the program's");
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    CHECK(bine_hub_get() != NULL);
    struct confining confining = {.id = 0};
    sem_init(&confining.open, 0, 0);
    int errors[2] = {-1, -1};
    bine_greenlet *all[3] = {bine_spawn(offload_confine_worker, &confining)};
    while (!atomic_load(&confining.entered))
        CHECK_OK(bine_sleep(BINE_MS));
    for (int i = 0; i < 2; i++)
        all[i + 1] = bine_spawn(offload_call, &errors[i]);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_offload_queued(), 2);
    sem_post(&confining.open);
    CHECK_OK(bine_joinall(all, 3, BINE_FOREVER));
    CHECK_EQ(errors[0], 0);
    CHECK_EQ(errors[1], 0);
    CHECK_NE(offload_id(), confining.id);
}

static struct bine_offload_job leaving;
static atomic_bool leaving_begun, hub_over, between, offloaded;

static void leave_confined(struct bine_offload_job *job)
{
    (void)job;
    atomic_store(&leaving_begun, true);
    while (!atomic_load(&hub_over))
        bine_libc.sched_yield();
    bine_offload_confine();
}

/* The job has run, its thread has left the pool but not ended. */
static void stay_between(struct bine_offload_job *job)
{
    (void)job;
    atomic_store(&between, true);
    while (!atomic_load(&offloaded))
        bine_libc.sched_yield();
}

static void *end_with_job(void *unused)
{
    leaving = (struct bine_offload_job){.run = leave_confined, .orphaned = stay_between};
    bine_offload_submit(bine_hub_get(), &leaving);
    while (!atomic_load(&leaving_begun))
        bine_libc.sched_yield();
    return unused;
}

TEST(hazard_82_a_thread_that_leaves_the_pool_is_not_waited_for)
{
    CHECK(bine_hub_get() != NULL);
    CHECK(offloads());
    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, end_with_job, NULL), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, NULL), 0);
    atomic_store(&hub_over, true);
    while (!atomic_load(&between))
        bine_libc.sched_yield();
    bool by_other = offloads();
    atomic_store(&offloaded, true);
    CHECK(by_other);
}

TEST(hazard_82_semaphores_of_the_threads_namespace_are_operated)
{
    need_root();
    begin();
    if (unshare(CLONE_NEWIPC) < 0)
        SKIP("no namespaces here");
    int set = semget(IPC_PRIVATE, 1, 0600);
    CHECK_OK(set);
    struct sembuf both[] = {{.sem_op = 2}, {.sem_op = -1, .sem_flg = IPC_NOWAIT}};
    CHECK_OK(semop(set, both, 2));
    CHECK_EQ(semctl(set, 0, GETVAL), 1);
    CHECK_OK(semctl(set, 0, IPC_RMID));
}

static void await_threads(size_t count)
{
    while (bine_offload_threads() != count)
        CHECK_OK(bine_sleep(BINE_MS));
}

TEST(hazard_82_the_pool_takes_the_rights_of_a_thread_that_renews_it)
{
    harness_not_under_address_sanitizer(
        "its search for leaks asks for its parent, which the filter refuses");
    harness_not_under_emulator("its own calls are not the program's");
    begin();
    filter_fails(SYS_getppid, EPERM);
    CHECK(!offloads());
    CHECK_OK(bine_offload_renew());
    await_threads(0); /* idle ones end */
    CHECK(offloads());
    CHECK_EQ(error_in_pool(), EPERM);
    CHECK_EQ(bine_offload_threads(), 1);
    CHECK(new_thread_offloads()); /* its child */
    bine_offload_confine();
    CHECK(!offloads());
}

struct at_work {
    sem_t open;
    atomic_bool entered;
    pid_t ids[2];
};

static void *stay_at_work(void *arg)
{
    struct at_work *work = arg;
    atomic_store(&work->entered, true);
    while (bine_libc.sem_wait(&work->open) != 0)
        ;
    return thread_id(NULL);
}

static void *offload_work(void *arg)
{
    struct at_work *work = arg;
    void *id;
    CHECK_OK(bine_offload(stay_at_work, work, &id));
    work->ids[0] = (pid_t)(intptr_t)id;
    return NULL;
}

static void *offload_next(void *arg)
{
    ((struct at_work *)arg)->ids[1] = offload_id();
    return NULL;
}

static void *renew(void *unused)
{
    CHECK(bine_hub_get() != NULL);
    CHECK_OK(bine_offload_renew());
    CHECK(offloads()); /* also while all that the bound allows are at work elsewhere */
    return unused;
}

TEST(hazard_82_queued_calls_keep_the_rights_of_their_thread)
{
    setenv("BINE_OFFLOAD_THREADS", "1", 1);
    CHECK(bine_hub_get() != NULL);
    struct at_work work = {.entered = false};
    sem_init(&work.open, 0, 0);
    bine_greenlet *all[2] = {bine_spawn(offload_work, &work)};
    while (!atomic_load(&work.entered))
        CHECK_OK(bine_sleep(BINE_MS));
    all[1] = bine_spawn(offload_next, &work);
    CHECK_OK(bine_sleep(0));
    CHECK_EQ(bine_offload_queued(), 1);

    pthread_t thread;
    CHECK_EQ(bine_libc.pthread_create(&thread, NULL, renew, NULL), 0);
    CHECK_EQ(bine_libc.pthread_join(thread, NULL), 0);
    CHECK(!offloads()); /* this one may have other rights than the pool */
    CHECK(!new_thread_offloads());
    CHECK_EQ(bine_offload_threads(), 2);
    sem_post(&work.open);
    CHECK_OK(bine_joinall(all, 2, BINE_FOREVER));
    CHECK_EQ(work.ids[0], work.ids[1]);
    CHECK_NE(work.ids[0], gettid());
    await_threads(1); /* that of the old rights has ended */
    CHECK_OK(bine_offload_renew());
    await_threads(0);
    CHECK(offloads());
}

TEST(hazard_82_the_child_of_a_fork_has_the_rights_of_a_renewed_pool)
{
    harness_not_under_emulator("a child of a process with threads cannot make threads there");
    begin();
    bine_offload_confine();
    CHECK_OK(bine_offload_renew());
    CHECK(offloads());
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        _exit(bine_offload_threads() == 0 && offloads() && bine_offload_threads() == 1 ? 0 : 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* ---- which paths are slow -------------------------------------------------------------------- */

/* Children that nobody has looked at are not in the cache. */
static void check_uncached(bool slow)
{
    char path[64];
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%d/status", child);
    CHECK_EQ(bine_path_slow(AT_FDCWD, path), slow);
    CHECK(!bine_path_slow(AT_FDCWD, path)); /* known now */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

TEST(hazard_82_a_path_is_not_slow_because_something_else_is)
{
    harness_not_under_valgrind("it does not know openat2");
    need_root();
    if (bine_libc.unshare(CLONE_NEWNS) < 0)
        SKIP("no namespaces here");
    keep_mounts_here();
    CHECK_OK(mount("bine", "/tmp", "tmpfs", 0, NULL));
    CHECK_OK(mkdir("/tmp/user", 0700));
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[64];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || mount("nobody", "/tmp/user", "fuse", 0, options) < 0)
        SKIP("no FUSE here: %s", strerror(errno));
    close(device); /* whose end is that of the file system: everything in it fails */
    CHECK_OK(symlink("/tmp/user", "/tmp/link"));
    CHECK_OK(symlink("/tmp/user/nothing", "/tmp/dangling"));
    CHECK_OK(symlink("user", "/tmp/relative"));

    check_uncached(false);
    CHECK(!bine_path_slow(AT_FDCWD, "/tmp/no-such-file"));
    CHECK(!bine_path_slow(AT_FDCWD, "/tmp/no-such-folder/file"));
    CHECK(!bine_path_slow(AT_FDCWD, "/"));
    CHECK(!bine_path_slow(AT_FDCWD, "."));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/user"));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/user/file"));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/link"));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/link/a/b/c"));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/dangling"));
    CHECK(bine_path_slow(AT_FDCWD, "/tmp/relative/x"));
    CHECK_OK(chdir("/tmp"));
    CHECK(bine_path_slow(AT_FDCWD, "user/file"));
    CHECK(!bine_path_slow(AT_FDCWD, "new"));
    CHECK_OK(umount2("/tmp/user", MNT_DETACH));
    CHECK_OK(umount2("/tmp", MNT_DETACH));
}

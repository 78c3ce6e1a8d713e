/* See pool.h. The lists may change while they are read, so what has just begun may be missing. */
#include "pool.h"

enum {
    MOST_CREWS = 1024,
    MOST_RUNNING = 65536,
    MOST_JOBS = 100000000, /* a count beyond this is damaged */
};

static uint64_t running_jobs(struct inspect_target *target, const struct inspect_table *table)
{
    uint64_t count = 0, job = 0;
    if (!table->pool_running.there || !table->running_next.there ||
        !inspect_word(target, table->pool_running.value, &job))
        return 0;
    while (job && count < MOST_RUNNING) {
        count++;
        if (!inspect_fetch(target, &table->running_next, job, &job))
            break;
    }
    return count;
}

static bool read_pool(struct inspect_target *target, const struct inspect_table *table,
                      struct inspect_pool *pool)
{
    uint64_t crew = 0, threads, jobs, names;
    if (!table->pool_crews.there || !table->crew_next.there ||
        !inspect_word(target, table->pool_crews.value, &crew))
        return false;
    for (int i = 0; crew && i < MOST_CREWS; i++) {
        if (!inspect_fetch(target, &table->crew_threads, crew, &threads) ||
            !inspect_fetch(target, &table->crew_jobs, crew, &jobs) ||
            !inspect_fetch(target, &table->crew_names, crew, &names) || threads > MOST_JOBS ||
            jobs > MOST_JOBS || names > MOST_JOBS)
            break;
        pool->threads += threads;
        pool->queued += jobs + names;
        inspect_fetch(target, &table->crew_next, crew, &crew);
    }
    pool->running += running_jobs(target, table);
    return true;
}

bool inspect_read_pool(const struct inspect_snapshot *snapshot, struct inspect_pool *pool)
{
    bool any = false;
    *pool = (struct inspect_pool){0};
    for (size_t i = 0; i < snapshot->table_count; i++)
        any |= read_pool(snapshot->target, &snapshot->tables[i], pool);
    return any;
}

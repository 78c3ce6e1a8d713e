/*
 * The outcome of a body: the record that a task and its greenlet share. This header is not for
 * programs.
 */
#ifndef BINE_CPP_OUTCOME_HPP
#define BINE_CPP_OUTCOME_HPP

#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <optional>

#include "error.hpp"

namespace bine
{
class scope;

namespace detail
{
/* One or two parties hold the record: the greenlet until its body has ended, and the task until it
 * is joined or let go. The party that lets go last frees it. A task that has seen the greenlet's
 * end frees it without asking. */
class outcome
{
  public:
    outcome() = default;
    outcome(const outcome &) = delete;
    outcome &operator=(const outcome &) = delete;
    virtual ~outcome() = default;

    enum class end {
        none, /* not yet; or left by bine_exit or bine_fail, or with its thread */
        returned,
        threw,
        cancelled
    };

    end how() const noexcept
    {
        return how_;
    }

    /* Returns true if the body has ended, and the greenlet will not touch this record any more. */
    bool over() const noexcept
    {
        return alone_.load(std::memory_order_acquire);
    }

    /* Let go of the record, for a greenlet of this name. The other party keeps it, or has let go
     * before. */
    void let_go(bine_greenlet *g) noexcept
    {
        if (alone_.exchange(true, std::memory_order_acq_rel))
            free(g);
    }

    void free(bine_greenlet *g) noexcept
    {
        if (exception_)
            report(bine_name(g), exception_);
        delete this;
    }

    /* Take the exception, for the caller that gets it. */
    std::exception_ptr take_exception() noexcept
    {
        return std::move(exception_);
    }

  protected:
    end how_ = end::none;
    std::exception_ptr exception_;

  private:
    std::atomic<bool> alone_{false};
};

/* The value that the body returned: none, an object, or the object that a reference refers to. */
template <class T> class result : public outcome
{
  public:
    T take()
    {
        return std::move(*value_);
    }

  protected:
    template <class Body> void fill(Body &&body)
    {
        value_.emplace(std::invoke(std::forward<Body>(body)));
    }

  private:
    std::optional<T> value_;
};

template <class T> class result<T &> : public outcome
{
  public:
    T &take() noexcept
    {
        return *value_;
    }

  protected:
    template <class Body> void fill(Body &&body)
    {
        value_ = std::addressof(std::invoke(std::forward<Body>(body)));
    }

  private:
    T *value_ = nullptr;
};

template <> class result<void> : public outcome
{
  public:
    void take() noexcept
    {
    }

  protected:
    template <class Body> void fill(Body &&body)
    {
        std::invoke(std::forward<Body>(body));
    }
};

/* The place where a scope keeps the first exception of its members. */
struct failure {
    std::exception_ptr first;
};

/* The callable with its outcome. The callable is destroyed when the body has ended, on the
 * greenlet's stack. */
template <class T, class Body> class job final : public result<T>
{
  public:
    template <class Given>
    explicit job(Given &&given, failure *of_scope)
        : body_(std::forward<Given>(given)), of_scope_(of_scope)
    {
    }

    /* This is a bine_run. */
    static void *run(void *arg)
    {
        int error = static_cast<job *>(arg)->perform();
        if (error)
            /* for callers that look by C's means; no frame of C++ with an object in it is left */
            bine_fail(error);
        return nullptr;
    }

    /* For bine_spawn_options.discard: run will never be called. */
    static void discard(void *arg) noexcept
    {
        auto *self = static_cast<job *>(arg);
        self->how_ = outcome::end::cancelled;
        self->body_.reset();
        self->let_go(nullptr);
    }

  private:
    int perform()
    {
        int error = 0;
        try {
            this->fill(std::move(*body_));
            this->how_ = outcome::end::returned;
        } catch (const cancelled &) {
            this->how_ = outcome::end::cancelled;
#ifdef __GLIBCXX__
        } catch (abi::__forced_unwind &) {
            /* pthread_exit: a handler that does not pass it on ends the process */
            finish();
            throw;
#endif
        } catch (...) {
            this->how_ = outcome::end::threw;
            this->exception_ = std::current_exception();
        }
        if (this->exception_) {
            /* In a scope it is none of the errors to which bine_scope_end gives a meaning of its
             * own. */
            error = of_scope_ ? ENOTRECOVERABLE : number_of(this->exception_);
            /* The exception of a member that the scope's end kills is no cause of that end. */
            if (of_scope_ && !of_scope_->first && !bine_killed(bine_getcurrent()))
                of_scope_->first = this->take_exception();
        }
        finish();
        return error;
    }

    void finish() noexcept
    {
        body_.reset();
        this->let_go(bine_getcurrent());
    }

    std::optional<Body> body_;
    failure *of_scope_;
};

/* The string that bine_spawn_at needs, "name\0file:line", for each place that spawns a body of this
 * type. It is made once and kept for ever, as bine_spawn_at demands. */
struct site {
    where at;
    site *next;
    char text[256];

    static site *make(where at, site *next) noexcept
    {
        site *made = new (std::nothrow) site{at, next, {}};
        if (!made)
            return nullptr;
        const char *name = std::strrchr(at.file, '/');
        name = name ? name + 1 : at.file;
        int length = std::snprintf(made->text, sizeof made->text / 2, "%s:%d", name, at.line);
        std::size_t begin = static_cast<std::size_t>(length < 127 ? length : 127) + 1;
        /* The end of a long path tells files apart. */
        std::size_t room = sizeof made->text - begin - 12, path = std::strlen(at.file);
        std::snprintf(made->text + begin, sizeof made->text - begin, "%s:%d",
                      at.file + (path > room ? path - room : 0), at.line);
        return made;
    }
};

template <class Body> const char *site_of(where at) noexcept
{
    static std::atomic<site *> first{nullptr};
    site *head = first.load(std::memory_order_acquire);
    for (site *known = head; known; known = known->next)
        if (known->at.file == at.file && known->at.line == at.line)
            return known->text;
    site *made = site::make(at, head);
    if (!made)
        return "task\0";
    while (!first.compare_exchange_weak(made->next, made, std::memory_order_acq_rel))
        ;
    return made->text;
}
} // namespace detail
} // namespace bine

#endif

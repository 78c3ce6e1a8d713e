/* Bine: greenlets for C. This header includes all others. Each of them describes its own calls. */
#ifndef BINE_H
#define BINE_H

#include "bine/backdoor.h"
#include "bine/base.h"
#include "bine/channel.h"
#include "bine/choose.h"
#include "bine/clock.h"
#include "bine/condition.h"
#include "bine/dial.h"
#include "bine/event.h"
#include "bine/file.h"
#include "bine/greenlet.h"
#include "bine/hub.h"
#include "bine/io.h"
#include "bine/lock.h"
#include "bine/mailbox.h"
#include "bine/names.h"
#include "bine/object.h"
#include "bine/offload.h"
#include "bine/patch.h"
#include "bine/pool.h"
#include "bine/process.h"
#include "bine/queue.h"
#include "bine/reader.h"
#include "bine/scope.h"
#include "bine/semaphore.h"
#include "bine/server.h"
#include "bine/signal.h"
#include "bine/wait.h"
#include "bine/workers.h"

#endif

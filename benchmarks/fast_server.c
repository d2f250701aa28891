/* A server that answers like the API and costs next to nothing: one thread, epoll, no TLS, no checks.

   It is for benchmarks alone, where the processor time of a server that checks what it is sent would hide that of who
   asks. It serves POST /v1 (textInference with async and sync delivery, getResponse, getTaskDetails, authentication),
   POST .../chat/completions in OpenAI's words for programs that speak those, GET /v1/models, and GET /_local/bill.
   Every answer is the same. Built by `fast_server.py`, which says what the options mean.

   The time at which a task is done is known when it is accepted: so many slots work side by side, first come first
   served. No event is simulated; a reply that has to wait is made at once and written later. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CONNECTIONS 65536
#define UUID_CHARS 36
#define READ_BYTES 262144

/* what the command line says */

static int port = 0;
static double latency_s = 0.0; /* of an inference; the median, where it is spread */
static double sigma = 0.0;     /* of the logarithm of the latency */
static double tail_share = 0.0, tail_times = 100.0;
static long slots = 0; /* 0: as many as there are tasks */
static long most_queued = 1000000000;
static long answer_tokens = 20;
static const char *answer = "{\"label\":\"bug\",\"floor\":3}";
static char *quoted_answer; /* the same as a JSON text */

/* what it did */

static uint64_t requests, executed, refused;
static double first_s; /* when the first inference came, on the clock that Python calls monotonic; 0 before that */

static void *checked(void *memory) {
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* bytes that grow */

typedef struct {
    char *bytes;
    size_t size, room;
} Buffer;

static void make_room(Buffer *buffer, size_t more) {
    if (buffer->size + more <= buffer->room) return;
    while (buffer->size + more > buffer->room) buffer->room = buffer->room ? 2 * buffer->room : 4096;
    buffer->bytes = checked(realloc(buffer->bytes, buffer->room));
}

static void add(Buffer *buffer, const char *bytes, size_t size) {
    make_room(buffer, size);
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static void add_text(Buffer *buffer, const char *text) { add(buffer, text, strlen(text)); }

static void add_format(Buffer *buffer, const char *format, ...) {
    va_list arguments;
    make_room(buffer, 1024);
    va_start(arguments, format);
    int size = vsnprintf(buffer->bytes + buffer->size, 1024, format, arguments);
    va_end(arguments);
    if (size > 0 && size < 1024) buffer->size += (size_t)size;
}

/* when tasks are done: a heap of the times at which slots get free, and the starts of those that wait */

static double *free_at;
static double *starts; /* a ring: they never become earlier */
static size_t first_start, waiting, starts_room;

static double random_01(void) {
    static uint64_t state = 0x9E3779B97F4A7C15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0 + 1e-17;
}

static double duration(void) {
    double took = latency_s;
    if (sigma > 0) took *= exp(sigma * sqrt(-2 * log(random_01())) * cos(6.283185307179586 * random_01()));
    if (tail_share > 0 && random_01() < tail_share) took *= tail_times;
    return took;
}

static void sink(long place) { /* the first slot of the heap got busy for longer */
    for (;;) {
        long least = place, left = 2 * place + 1, right = left + 1;
        if (left < slots && free_at[left] < free_at[least]) least = left;
        if (right < slots && free_at[right] < free_at[least]) least = right;
        if (least == place) return;
        double other = free_at[least];
        free_at[least] = free_at[place];
        free_at[place] = other;
        place = least;
    }
}

static void note_start(double start) {
    if (waiting == starts_room) {
        size_t room = starts_room ? 2 * starts_room : 1024;
        double *ring = checked(malloc(room * sizeof *ring));
        for (size_t place = 0; place < waiting; place++) ring[place] = starts[(first_start + place) % starts_room];
        free(starts);
        starts = ring;
        starts_room = room;
        first_start = 0;
    }
    starts[(first_start + waiting++) % starts_room] = start;
}

/* When a task that comes now is done; negative where there is no room for it. */
static double admitted(double now) {
    if (first_s == 0) first_s = now;
    if (slots == 0) return now + duration();
    while (waiting && starts[first_start] <= now) {
        first_start = (first_start + 1) % starts_room;
        waiting--;
    }
    double start = free_at[0] > now ? free_at[0] : now;
    if (start > now) {
        if ((long)waiting >= most_queued) return -1.0;
        note_start(start);
    }
    free_at[0] = start + duration();
    double done = free_at[0];
    sink(0);
    return done;
}

/* tasks by UUID: a table that doubles */

typedef struct {
    uint64_t high, low;
    double done_at; /* 0 where the place is empty */
} Task;

static Task *tasks;
static size_t tasks_room, tasks_size;

static int hex(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    letter |= 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool read_uuid(const char *text, size_t size, uint64_t *high, uint64_t *low) {
    if (size != UUID_CHARS) return false;
    uint64_t half[2] = {0, 0};
    int digits = 0;
    for (size_t place = 0; place < UUID_CHARS; place++) {
        if (text[place] == '-') continue;
        int digit = hex(text[place]);
        if (digit < 0 || digits == 32) return false;
        half[digits / 16] = half[digits / 16] << 4 | (uint64_t)digit;
        digits++;
    }
    *high = half[0];
    *low = half[1];
    return digits == 32;
}

static Task *place_of(uint64_t high, uint64_t low) {
    size_t place = (size_t)(high ^ low * 0x9E3779B97F4A7C15u) & (tasks_room - 1);
    while (tasks[place].done_at != 0 && (tasks[place].high != high || tasks[place].low != low))
        place = (place + 1) & (tasks_room - 1);
    return &tasks[place];
}

static Task *task_of(uint64_t high, uint64_t low) {
    if (2 * tasks_size >= tasks_room) {
        Task *before = tasks;
        size_t room_before = tasks_room;
        tasks_room = tasks_room ? 2 * tasks_room : 65536;
        tasks = checked(calloc(tasks_room, sizeof *tasks));
        for (size_t place = 0; place < room_before; place++)
            if (before[place].done_at != 0) *place_of(before[place].high, before[place].low) = before[place];
        free(before);
    }
    return place_of(high, low);
}

/* just as much JSON as is needed: objects of an array, and values of an object's keys */

typedef struct {
    const char *start, *end;
} Span;

static const char *behind_text(const char *at, const char *end) { /* of the quote that a text begins with */
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : end;
}

static const char *behind_value(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = behind_text(at, end);
            if (depth == 0) return at;
            continue;
        }
        if (*at == '{' || *at == '[') depth++;
        if (*at == '}' || *at == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        }
        if (*at == ',' && depth == 0) return at;
        at++;
    }
    return end;
}

static const char *behind_blanks(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

/* The value of a key at the top of an object, without the quotes of a text; empty where it has none. */
static Span value_of(Span object, const char *key) {
    size_t key_size = strlen(key);
    const char *at = object.start + 1;
    while ((at = behind_blanks(at, object.end)) < object.end && *at == '"') {
        const char *name = at + 1;
        at = behind_text(at, object.end);
        size_t size = (size_t)(at - name) - 1;
        at = behind_blanks(at, object.end);
        if (at < object.end && *at == ':') at = behind_blanks(at + 1, object.end);
        const char *value = at;
        at = behind_value(at, object.end);
        if (size == key_size && memcmp(name, key, size) == 0) {
            if (*value == '"') return (Span){value + 1, at - 1};
            return (Span){value, at};
        }
        at = behind_blanks(at, object.end);
        if (at < object.end && *at == ',') at++;
    }
    return (Span){NULL, NULL};
}

static bool is(Span span, const char *text) {
    return span.start != NULL && (size_t)(span.end - span.start) == strlen(text) &&
           memcmp(span.start, text, strlen(text)) == 0;
}

/* The first object of a list that is an object; empty where there is none. */
static Span first_of(Span list) {
    if (list.start == NULL || *list.start != '[') return (Span){NULL, NULL};
    const char *at = behind_blanks(list.start + 1, list.end);
    if (at >= list.end || *at != '{') return (Span){NULL, NULL};
    return (Span){at, behind_value(at, list.end)};
}

/* replies to arrays of tasks */

typedef struct {
    Buffer data, errors;
    int status;
    double until; /* when the last sync task is done */
} Reply;

static void begin_item(Buffer *items, Span type, Span uuid) {
    if (items->size) add(items, ",", 1);
    add_text(items, "{\"taskType\":\"");
    add(items, type.start, (size_t)(type.end - type.start));
    add_text(items, "\",\"taskUUID\":\"");
    add(items, uuid.start, (size_t)(uuid.end - uuid.start));
    add_text(items, "\"");
}

static void add_refusal(Reply *reply, Span type, Span uuid, const char *code, int status) {
    begin_item(&reply->errors, type, uuid);
    add_format(&reply->errors, ",\"code\":\"%s\",\"message\":\"Refused.\"}", code);
    if (reply->status == 200) reply->status = status;
    refused++;
}

static Span TYPE_OF_RESULTS;

static void add_result(Buffer *items, Span uuid, long prompt_tokens, Span tool) {
    begin_item(items, TYPE_OF_RESULTS, uuid);
    add_text(items, ",\"status\":\"success\",\"text\":");
    if (tool.start == NULL) {
        add_text(items, quoted_answer);
        add_text(items, ",\"finishReason\":\"stop\"");
    } else {
        add_text(items, "null,\"finishReason\":\"tool_calls\",\"tools\":[{\"id\":\"call_");
        add(items, uuid.start, 8);
        add_text(items, "\",\"name\":\"");
        add(items, tool.start, (size_t)(tool.end - tool.start));
        add_text(items, "\",\"input\":");
        add_text(items, answer);
        add_text(items, "}]");
    }
    add_format(items, ",\"usage\":{\"promptTokens\":%ld,\"completionTokens\":%ld,\"totalTokens\":%ld},\"cost\":%.9f,\"seed\":7}",
               prompt_tokens, answer_tokens, prompt_tokens + answer_tokens,
               1e-7 * (double)prompt_tokens + 4e-7 * (double)answer_tokens);
}

/* Of all tasks of one client: what its first task forced. */
static char tool_name[128];
static Span tool;

static Span tool_of(Span task) {
    Span choice = value_of(task, "toolChoice");
    Span name = choice.start != NULL && *choice.start == '{' ? value_of(choice, "name") : (Span){NULL, NULL};
    size_t size = name.start == NULL ? 0 : (size_t)(name.end - name.start);
    if (size == 0 || size >= sizeof tool_name) return (Span){NULL, NULL};
    memcpy(tool_name, name.start, size);
    tool = (Span){tool_name, tool_name + size};
    return tool;
}

static long tokens_of(Span task) { return (long)(task.end - task.start) / 4; }

static void submit(Reply *reply, Span task, Span type, Span uuid, double now) {
    uint64_t high, low;
    if (uuid.start == NULL || !read_uuid(uuid.start, (size_t)(uuid.end - uuid.start), &high, &low)) {
        add_refusal(reply, type, uuid.start ? uuid : (Span){"", ""}, "invalidTaskUUID", 400);
        return;
    }
    Task *known = task_of(high, low);
    if (known->done_at != 0) {
        add_refusal(reply, type, uuid, "conflictTaskUUID", 400);
        return;
    }
    double done = admitted(now);
    if (done < 0) {
        add_refusal(reply, type, uuid, "inferenceRateLimitExceeded", 429);
        return;
    }
    *known = (Task){high, low, done};
    tasks_size++;
    executed++;
    Span forced = tool_of(task);
    if (is(value_of(task, "deliveryMethod"), "async")) {
        begin_item(&reply->data, type, uuid);
        add_text(&reply->data, "}");
        return;
    }
    if (done > reply->until) reply->until = done;
    add_result(&reply->data, uuid, tokens_of(task), forced);
}

static void ask(Reply *reply, Span type, Span uuid, double now) {
    uint64_t high, low;
    bool archive = is(type, "getTaskDetails");
    bool valid = uuid.start != NULL && read_uuid(uuid.start, (size_t)(uuid.end - uuid.start), &high, &low);
    Task *known = valid ? task_of(high, low) : NULL;
    if (known == NULL || known->done_at == 0) {
        if (archive || !valid) add_refusal(reply, type, valid ? uuid : (Span){"", ""}, "taskNotFound", 400);
        return; /* getResponse says nothing of what nobody knows */
    }
    if (archive) {
        begin_item(&reply->data, type, uuid);
        add_text(&reply->data, ",\"response\":{\"data\":[");
        Buffer item = {0};
        if (known->done_at <= now) add_result(&item, uuid, 60, tool);
        add(&reply->data, item.bytes ? item.bytes : "", item.size);
        free(item.bytes);
        add_text(&reply->data, "]}}");
    } else if (known->done_at <= now) {
        add_result(&reply->data, uuid, 60, tool);
    } else {
        begin_item(&reply->data, TYPE_OF_RESULTS, uuid);
        add_text(&reply->data, ",\"status\":\"processing\"}");
    }
}

static void serve_tasks(Reply *reply, Span body, double now) {
    const char *at = behind_blanks(body.start, body.end);
    if (at < body.end && *at == '[') at++;
    while ((at = behind_blanks(at, body.end)) < body.end && *at == '{') {
        Span task = {at, behind_value(at, body.end)};
        Span type = value_of(task, "taskType"), uuid = value_of(task, "taskUUID");
        if (is(type, "textInference")) {
            submit(reply, task, type, uuid, now);
        } else if (is(type, "authentication")) {
            if (reply->data.size) add(&reply->data, ",", 1);
            add_text(&reply->data, "{\"taskType\":\"authentication\"}");
        } else if (type.start != NULL) {
            ask(reply, type, uuid, now);
        }
        at = behind_blanks(task.end, body.end);
        if (at < body.end && *at == ',') at++;
    }
}

static void serve_chat(Reply *reply, Span body, double now) {
    double done = admitted(now);
    if (done < 0) {
        add_text(&reply->errors, "{\"error\":{\"message\":\"Too many requests.\",\"type\":\"rate_limit\",\"code\":\"rate_limit\"}}");
        reply->status = 429;
        refused++;
        return;
    }
    executed++;
    reply->until = done;
    Buffer *data = &reply->data;
    long prompt_tokens = tokens_of(body);
    Span model = value_of(body, "model");
    Span function = first_of(value_of(body, "tools"));
    if (function.start != NULL) function = value_of(function, "function");
    Span name = function.start != NULL ? value_of(function, "name") : (Span){NULL, NULL};
    add_format(data, "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"%.*s\",",
               (unsigned long long)executed, (int)(model.start ? model.end - model.start : 0), model.start ? model.start : "");
    add_text(data, "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (name.start == NULL) {
        add_text(data, quoted_answer);
        add_text(data, "},\"finish_reason\":\"stop\"}]");
    } else {
        add_text(data, "null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"");
        add(data, name.start, (size_t)(name.end - name.start));
        add_text(data, "\",\"arguments\":");
        add_text(data, quoted_answer);
        add_text(data, "}}]},\"finish_reason\":\"tool_calls\"}]");
    }
    add_format(data, ",\"usage\":{\"prompt_tokens\":%ld,\"completion_tokens\":%ld,\"total_tokens\":%ld}}", prompt_tokens,
               answer_tokens, prompt_tokens + answer_tokens);
}

/* connections */

typedef struct {
    Buffer in, out;
    size_t written;
    double write_at; /* a reply that waits for its answers; 0 where none does */
    bool open;
    bool last; /* the client wants the connection closed behind the reply, and waits for that */
} Connection;

static Connection connections[MOST_CONNECTIONS];
static int poller;

/* a heap of the connections whose replies wait */
static int *parked;
static size_t parked_size, parked_room;

static void park(int connection) {
    if (parked_size == parked_room) {
        parked_room = parked_room ? 2 * parked_room : 1024;
        parked = checked(realloc(parked, parked_room * sizeof *parked));
    }
    size_t place = parked_size++;
    while (place > 0) {
        size_t above = (place - 1) / 2;
        if (connections[parked[above]].write_at <= connections[connection].write_at) break;
        parked[place] = parked[above];
        place = above;
    }
    parked[place] = connection;
}

static int unpark(void) {
    int first = parked[0], last = parked[--parked_size];
    size_t place = 0;
    for (;;) {
        size_t least = 2 * place + 1;
        if (least >= parked_size) break;
        if (least + 1 < parked_size && connections[parked[least + 1]].write_at < connections[parked[least]].write_at) least++;
        if (connections[last].write_at <= connections[parked[least]].write_at) break;
        parked[place] = parked[least];
        place = least;
    }
    if (parked_size) parked[place] = last;
    return first;
}

static void watch(int connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = connection};
    epoll_ctl(poller, EPOLL_CTL_MOD, connection, &event);
}

static void shut(int connection) {
    Connection *state = &connections[connection];
    if (state->open) epoll_ctl(poller, EPOLL_CTL_DEL, connection, NULL);
    state->open = false;
    if (state->write_at != 0) return; /* it is in the heap: its number is free when it is taken out */
    close(connection);
    state->in.size = state->out.size = state->written = 0;
}

static void flush(int connection) {
    Connection *state = &connections[connection];
    while (state->written < state->out.size) {
        ssize_t sent = send(connection, state->out.bytes + state->written, state->out.size - state->written, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(connection, EPOLLIN | EPOLLOUT);
            return;
        }
        if (sent < 0) {
            shut(connection);
            return;
        }
        state->written += (size_t)sent;
    }
    state->out.size = state->written = 0;
    if (state->last) shut(connection);
}

static void add_reply(Buffer *out, int status, Span first, Span second, Span third) {
    size_t size = (size_t)(first.end - first.start) + (size_t)(second.end - second.start) + (size_t)(third.end - third.start);
    add_format(out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
               status == 200 ? "OK" : "Error", size);
    add(out, first.start, (size_t)(first.end - first.start));
    add(out, second.start, (size_t)(second.end - second.start));
    add(out, third.start, (size_t)(third.end - third.start));
}

static Span span(const char *text) { return (Span){text, text + strlen(text)}; }

static Span span_of(Buffer *buffer) {
    return buffer->bytes ? (Span){buffer->bytes, buffer->bytes + buffer->size} : span("");
}

static void reply_to_post(Connection *state, const char *path, Span body, double now) {
    static Reply reply; /* its buffers are used again */
    reply.data.size = reply.errors.size = 0;
    reply.status = 200;
    reply.until = 0;
    if (strstr(path, "/chat/completions") != NULL) {
        serve_chat(&reply, body, now);
        add_reply(&state->out, reply.status, span_of(&reply.data), span_of(&reply.errors), span(""));
    } else {
        serve_tasks(&reply, body, now);
        Buffer whole = {0};
        add_text(&whole, "{\"data\":[");
        add(&whole, span_of(&reply.data).start, reply.data.size);
        if (reply.errors.size) add_text(&whole, "],\"errors\":[");
        add_reply(&state->out, reply.status, span_of(&whole), span_of(&reply.errors), span("]}"));
        free(whole.bytes);
    }
    state->write_at = reply.until > now ? reply.until : 0;
}

static void reply_to_get(Connection *state, const char *path) {
    char text[512];
    if (strncmp(path, "/_local/bill", 12) == 0) {
        snprintf(text, sizeof text, "{\"requests\":%llu,\"executed\":%llu,\"distinct_uuids\":%llu,\"refused\":%llu,\"first_s\":%.6f}",
                 (unsigned long long)requests, (unsigned long long)executed, (unsigned long long)executed,
                 (unsigned long long)refused, first_s);
    } else {
        snprintf(text, sizeof text,
                 "{\"object\":\"list\",\"data\":[{\"id\":\"deepseek-v4-pro\",\"object\":\"model\",\"pricing\":{\"prompt\":0.1,\"completion\":0.4}}]}");
    }
    add_reply(&state->out, 200, span(text), span(""), span(""));
}

/* Serve the next request that is there as a whole; returns whether there was one. */
static bool serve_next(Connection *state, double now) {
    if (state->write_at != 0 || state->in.size == 0) return false;
    make_room(&state->in, 1);
    state->in.bytes[state->in.size] = 0;
    char *end_of_head = memmem(state->in.bytes, state->in.size, "\r\n\r\n", 4);
    if (end_of_head == NULL) return false;
    *end_of_head = 0;
    char *length = strcasestr(state->in.bytes, "\r\nContent-Length:");
    size_t body_size = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    state->last = strcasestr(state->in.bytes, "\r\nConnection: close") != NULL;
    char *body = end_of_head + 4;
    size_t size = (size_t)(body - state->in.bytes) + body_size;
    if (state->in.size < size) {
        *end_of_head = '\r';
        return false;
    }
    char *path = strchr(state->in.bytes, ' ');
    char *behind_path = path == NULL ? NULL : strchr(path + 1, ' ');
    if (behind_path != NULL) {
        *behind_path = 0;
        requests += strncmp(path + 1, "/_local", 7) != 0;
        if (strncmp(state->in.bytes, "GET", 3) == 0)
            reply_to_get(state, path + 1);
        else
            reply_to_post(state, path + 1, (Span){body, body + body_size}, now);
    }
    memmove(state->in.bytes, state->in.bytes + size, state->in.size - size);
    state->in.size -= size;
    return true;
}

static void serve(int connection) {
    Connection *state = &connections[connection];
    while (serve_next(state, now_s())) {
    }
    if (state->write_at != 0)
        park(connection);
    else
        flush(connection);
}

static void receive(int connection) {
    Connection *state = &connections[connection];
    for (;;) {
        make_room(&state->in, READ_BYTES);
        ssize_t size = recv(connection, state->in.bytes + state->in.size, READ_BYTES, 0);
        if (size < 0 && errno == EAGAIN) break;
        if (size <= 0) {
            shut(connection);
            return;
        }
        state->in.size += (size_t)size;
        if (size < READ_BYTES) break;
    }
    if (state->write_at == 0) serve(connection);
}

static void accept_all(int listener) {
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection < 0) return;
        if (connection >= MOST_CONNECTIONS) {
            close(connection);
            continue;
        }
        int on = 1;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[connection].open = true;
        connections[connection].last = false;
        connections[connection].write_at = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
        epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event);
    }
}

/* Write the replies whose time has come; returns milliseconds until the next, -1 where none waits. */
static int release(void) {
    while (parked_size) {
        double left_s = connections[parked[0]].write_at - now_s();
        if (left_s > 0) return (int)ceil(1000 * left_s);
        int connection = unpark();
        connections[connection].write_at = 0;
        if (!connections[connection].open) {
            shut(connection);
            continue;
        }
        flush(connection);
        if (connections[connection].open && connections[connection].in.size) serve(connection);
    }
    return -1;
}

static int listening(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0) {
        perror("the fast server cannot listen");
        exit(1);
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    port = ntohs(address.sin_port);
    return listener;
}

static void quote_answer(void) {
    Buffer quoted = {0};
    add_text(&quoted, "\"");
    for (const char *at = answer; *at; at++) {
        if (*at == '"' || *at == '\\') add(&quoted, "\\", 1);
        add(&quoted, at, 1);
    }
    add(&quoted, "\"", 2); /* and the end of the text */
    quoted_answer = quoted.bytes;
    answer_tokens = (long)strlen(answer) / 4 + 1;
}

static void read_options(int count, char **words) {
    for (int place = 1; place + 1 < count; place += 2) {
        const char *name = words[place], *value = words[place + 1];
        if (strcmp(name, "--port") == 0)
            port = atoi(value);
        else if (strcmp(name, "--latency-s") == 0)
            latency_s = atof(value);
        else if (strcmp(name, "--sigma") == 0)
            sigma = atof(value);
        else if (strcmp(name, "--tail-share") == 0)
            tail_share = atof(value);
        else if (strcmp(name, "--slots") == 0)
            slots = atol(value);
        else if (strcmp(name, "--queue") == 0)
            most_queued = atol(value);
        else if (strcmp(name, "--answer") == 0)
            answer = value;
        else {
            fprintf(stderr, "there is no option %s\n", name);
            exit(2);
        }
    }
}

int main(int count, char **words) {
    read_options(count, words);
    quote_answer();
    TYPE_OF_RESULTS = span("textInference");
    if (slots) free_at = checked(calloc((size_t)slots, sizeof *free_at));
    signal(SIGPIPE, SIG_IGN);
    int listener = listening();
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    printf("http://127.0.0.1:%d/v1\n", port);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, release());
        for (int place = 0; place < ready; place++) {
            int connection = events[place].data.fd;
            if (connection == listener) {
                accept_all(listener);
                continue;
            }
            if (!connections[connection].open) continue;
            if (events[place].events & EPOLLOUT) {
                watch(connection, EPOLLIN);
                if (connections[connection].write_at == 0) flush(connection);
            }
            if (connections[connection].open && events[place].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(connection);
        }
    }
}

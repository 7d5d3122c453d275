/* A small libnvidia-ml.so.1 for tests: boards that draw known power, and fail in known ways.
 *
 * The file named by $FAKE_NVML describes one board a line, as `key=value` words (set_value below
 * has the keys; the fixture fake_nvml in tests/conftest.py writes them). Times in it are seconds
 * since `origin` on CLOCK_MONOTONIC, so that every process sees the same curve. A board draws
 *
 *   power(t) = low + (high - low) * pulse(t) + slope * t
 *
 * where the pulse is 1 for high_s of every period, from delay on. Its sensors, renewed every
 * update_s, show the power itself, the mean of the second before, and the energy counter: the
 * integral, in closed form. A test that loads this may keep the time itself (fake_nvml_set_time).
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { /* nvmlReturn_t */
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15
};
enum { UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 }; /* nvmlValueType_t */
enum { /* field ids */
    POWER_VIOLATION = 74,
    THERMAL_VIOLATION = 75,
    MEMORY_TEMP = 82,
    TOTAL_ENERGY = 83,
    POWER_AVERAGE = 185,
    POWER_INSTANT = 186
};
enum { POWER_CAP = 0x4, HOT = 0x68 }; /* clocks event reasons */
enum { MAX_BOARDS = 32, MAX_PIDS = 8, TEXT = 512 };

typedef struct {
    char uuid[TEXT], name[TEXT];
    char absent[TEXT]; /* ",function,field id,": these answer NOT_SUPPORTED */
    double origin, low, high, period, high_s, delay, slope, update_s;
    double counter_j, counter_gain;                     /* the counter: its start and scale */
    double wrap_mj, frozen_from, restart_at;            /* ... and its faults */
    double lost_from, slow_s, slow_from, slow_to;       /* slow: field values take slow_s */
    double pid_mib;                                     /* memory of each of its processes */
    double temperature_c, heating_c_per_s;
    double event_from, event_to;
    double field_us; /* what each field value takes of the CPU, and is said to take */
    unsigned reasons, events; /* reasons: always; events: from event_from to event_to */
    unsigned pids[MAX_PIDS], pid_count;
    int mig, hidden, usage_is_instant, sm_mhz;
} Board;

typedef Board *Device;

typedef struct { /* nvmlFieldValue_t */
    unsigned field, scope;
    long long timestamp, latency_us;
    unsigned type;
    int result;
    union {
        double real;
        unsigned natural;
        unsigned long long large;
    } value;
} Field;

typedef struct { /* nvmlProcessInfo_t */
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
} Process;

typedef struct { /* nvmlUtilization_t */
    unsigned gpu, memory;
} Utilization;

static Board boards[MAX_BOARDS];
static unsigned board_count, users;

/* -- the description ------------------------------------------------------------------------- */

static void set_name(Board *board, const char *value) {
    snprintf(board->name, TEXT, "%s", value);
    for (char *joint; (joint = strchr(board->name, '_'));) *joint = ' ';
}

static void set_pids(Board *board, char *list) {
    for (char *pid; (pid = strsep(&list, ",")) && board->pid_count < MAX_PIDS;)
        board->pids[board->pid_count++] = (unsigned)atoi(pid);
}

static int set_value(Board *board, const char *key, char *value) {
    const struct {
        const char *key;
        double *value;
    } numbers[] = {
        {"origin", &board->origin},
        {"low", &board->low},
        {"high", &board->high},
        {"period", &board->period},
        {"high_s", &board->high_s},
        {"delay", &board->delay},
        {"slope", &board->slope},
        {"update_s", &board->update_s},
        {"counter_j", &board->counter_j},
        {"counter_gain", &board->counter_gain},
        {"wrap_mj", &board->wrap_mj},
        {"frozen_from", &board->frozen_from},
        {"restart_at", &board->restart_at},
        {"lost_from", &board->lost_from},
        {"slow_s", &board->slow_s},
        {"slow_from", &board->slow_from},
        {"slow_to", &board->slow_to},
        {"pid_mib", &board->pid_mib},
        {"temperature_c", &board->temperature_c},
        {"heating_c_per_s", &board->heating_c_per_s},
        {"event_from", &board->event_from},
        {"event_to", &board->event_to},
        {"field_us", &board->field_us},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i].key)) return *numbers[i].value = atof(value), 1;
    if (!strcmp(key, "uuid")) return snprintf(board->uuid, TEXT, "%s", value), 1;
    if (!strcmp(key, "name")) return set_name(board, value), 1;
    if (!strcmp(key, "absent")) return snprintf(board->absent, TEXT, ",%s,", value), 1;
    if (!strcmp(key, "pids")) return set_pids(board, value), 1;
    if (!strcmp(key, "reasons")) return board->reasons = (unsigned)atoi(value), 1;
    if (!strcmp(key, "events")) return board->events = (unsigned)atoi(value), 1;
    if (!strcmp(key, "mig")) return board->mig = atoi(value), 1;
    if (!strcmp(key, "hidden")) return board->hidden = atoi(value), 1;
    if (!strcmp(key, "usage_is_instant")) return board->usage_is_instant = atoi(value), 1;
    if (!strcmp(key, "sm_mhz")) return board->sm_mhz = atoi(value), 1;
    return 0;
}

static void read_board(Board *board, char *line) {
    *board = (Board){.period = 1, .update_s = 0.1, .temperature_c = 50, .sm_mhz = 1755};
    board->counter_gain = 1;
    board->pid_mib = 512;
    board->frozen_from = board->restart_at = board->lost_from = INFINITY;
    for (char *word; (word = strsep(&line, " \n"));) {
        char *value = strchr(word, '=');
        if (!value) continue;
        *value++ = 0;
        if (!set_value(board, word, value)) {
            fprintf(stderr, "fake NVML: unknown key %s\n", word);
            abort();
        }
    }
}

static int read_boards(void) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[8 * TEXT];
    if (!file) return DRIVER_NOT_LOADED;
    board_count = 0;
    while (board_count < MAX_BOARDS && fgets(line, sizeof line, file))
        read_board(&boards[board_count++], line);
    fclose(file);
    return SUCCESS;
}

/* -- what a board draws ---------------------------------------------------------------------- */

static double held_s = NAN; /* the time that a test keeps; NAN: it is the machine's */

void fake_nvml_set_time(double s) { held_s = s; }

double fake_nvml_time(void) {
    struct timespec now;
    if (!isnan(held_s)) return held_s;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void let_pass(double s) {
    if (isnan(held_s))
        usleep((useconds_t)(1e6 * s));
    else
        held_s += s;
}

static double now_s(const Board *board) { return fake_nvml_time() - board->origin; }

/* When the sensors were last renewed. */
static double renewed_s(const Board *board) {
    return floor(now_s(board) / board->update_s) * board->update_s;
}

static double power_w(const Board *board, double t) {
    double phase = fmod(t - board->delay, board->period);
    if (phase < 0) phase += board->period;
    double pulse_w = phase < board->high_s ? board->high - board->low : 0;
    return board->low + pulse_w + board->slope * fmax(t, 0);
}

static double pulse_s(const Board *board, double t) {
    double since = t - board->delay, periods = floor(since / board->period);
    return periods * board->high_s + fmin(since - periods * board->period, board->high_s);
}

static double energy_j(const Board *board, double from, double to) {
    double flat = board->low * (to - from);
    double pulses = (board->high - board->low) * (pulse_s(board, to) - pulse_s(board, from));
    double before = fmax(from, 0), after = fmax(to, 0);
    return flat + pulses + board->slope * (after * after - before * before) / 2;
}

static unsigned instant_mw(const Board *board) {
    return (unsigned)round(1e3 * power_w(board, renewed_s(board)));
}

static unsigned average_mw(const Board *board) {
    double t = renewed_s(board);
    return (unsigned)round(1e3 * energy_j(board, t - 1, t));
}

static unsigned long long counter_mj(const Board *board) {
    double t = fmin(renewed_s(board), board->frozen_from);
    int restarted = t >= board->restart_at;
    double counted_j = board->counter_gain * energy_j(board, restarted ? board->restart_at : 0, t);
    double mj = 1e3 * (counted_j + (restarted ? 0 : board->counter_j));
    return (unsigned long long)round(board->wrap_mj ? fmod(mj, board->wrap_mj) : mj);
}

static unsigned long long event_ns(const Board *board, unsigned bits) {
    double t = now_s(board);
    if (!(board->events & bits)) return 0;
    return (unsigned long long)(1e9 * fmax(0, fmin(t, board->event_to) - board->event_from));
}

/* -- answers --------------------------------------------------------------------------------- */

static int lacks(const Board *board, const char *name) {
    char word[TEXT];
    snprintf(word, sizeof word, ",%s,", name);
    return strstr(board->absent, word) != NULL;
}

static int state(const Board *board, const char *function) {
    if (!users) return UNINITIALIZED;
    if (now_s(board) >= board->lost_from) return GPU_IS_LOST;
    return lacks(board, function) ? NOT_SUPPORTED : SUCCESS;
}

#define CHECK(board)                                \
    do {                                            \
        int problem = state(board, __func__);       \
        if (problem) return problem;                \
    } while (0)

#define ANSWER(assignment)                          \
    do {                                            \
        CHECK(board);                               \
        assignment;                                 \
        return SUCCESS;                             \
    } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    int problem = users ? SUCCESS : read_boards();
    if (!problem) users++;
    return problem;
}

int nvmlShutdown(void) {
    if (!users) return UNINITIALIZED;
    users--;
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    snprintf(version, length, "0.fake");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!users) return UNINITIALIZED;
    *count = board_count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *device) {
    if (!users) return UNINITIALIZED;
    if (index >= board_count) return INVALID_ARGUMENT;
    if (boards[index].hidden) return NO_PERMISSION;
    *device = &boards[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device *device) {
    if (!users) return UNINITIALIZED;
    for (unsigned i = 0; i < board_count; i++)
        if (!strcmp(uuid, boards[i].uuid)) return *device = &boards[i], SUCCESS;
    return NOT_FOUND;
}

int nvmlDeviceGetName(Device board, char *name, unsigned length) {
    ANSWER(snprintf(name, length, "%s", board->name));
}

int nvmlDeviceGetUUID(Device board, char *uuid, unsigned length) {
    ANSWER(snprintf(uuid, length, "%s", board->uuid));
}

int nvmlDeviceGetVbiosVersion(Device board, char *version, unsigned length) {
    ANSWER(snprintf(version, length, "96.00.FA.KE"));
}

int nvmlDeviceGetCudaComputeCapability(Device board, int *major, int *minor) {
    ANSWER((*major = board->usage_is_instant ? 8 : 9, *minor = 0));
}

static void work_for(double us) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    double end_us = now.tv_sec * 1e6 + now.tv_nsec * 1e-3 + us;
    while (us && now.tv_sec * 1e6 + now.tv_nsec * 1e-3 < end_us)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
}

int nvmlDeviceGetPowerUsage(Device board, unsigned *mw) {
    work_for(board->field_us);
    ANSWER(*mw = board->usage_is_instant ? instant_mw(board) : average_mw(board));
}

int nvmlDeviceGetTotalEnergyConsumption(Device board, unsigned long long *mj) {
    ANSWER(*mj = counter_mj(board));
}

static void read_field(const Board *board, Field *field) {
    work_for(board->field_us);
    field->latency_us = (long long)board->field_us;
    char id[16];
    snprintf(id, sizeof id, "%u", field->field);
    field->result = lacks(board, id) ? NOT_SUPPORTED : SUCCESS;
    field->type = field->field >= POWER_AVERAGE || field->field == MEMORY_TEMP ? UNSIGNED_INT
                                                                               : UNSIGNED_LONG_LONG;
    switch (field->field) {
    case POWER_INSTANT: field->value.natural = instant_mw(board); break;
    case POWER_AVERAGE: field->value.natural = average_mw(board); break;
    case MEMORY_TEMP: field->value.natural = 60; break;
    case TOTAL_ENERGY: field->value.large = counter_mj(board); break;
    case POWER_VIOLATION: field->value.large = event_ns(board, POWER_CAP); break;
    case THERMAL_VIOLATION: field->value.large = event_ns(board, HOT); break;
    default: field->result = INVALID_ARGUMENT;
    }
}

int nvmlDeviceGetFieldValues(Device board, int count, Field *fields) {
    CHECK(board);
    if (board->slow_s && now_s(board) >= board->slow_from && now_s(board) < board->slow_to)
        let_pass(board->slow_s);
    for (Field *field = fields; field < fields + count; field++) read_field(board, field);
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(Device board, unsigned clock, unsigned *mhz) {
    ANSWER(*mhz = clock == 2 ? 2619 : (unsigned)board->sm_mhz); /* 0 graphics, 1 SM, 2 memory */
}

int nvmlDeviceGetMaxClockInfo(Device board, unsigned clock, unsigned *mhz) {
    ANSWER(*mhz = clock == 2 ? 2619 : 1980);
}

int nvmlDeviceGetApplicationsClock(Device board, unsigned clock, unsigned *mhz) {
    ANSWER(*mhz = clock == 2 ? 2619 : 1980);
}

int nvmlDeviceGetTemperature(Device board, unsigned sensor, unsigned *celsius) {
    double heated_c = board->heating_c_per_s * now_s(board);
    (void)sensor;
    ANSWER(*celsius = (unsigned)round(board->temperature_c + heated_c));
}

int nvmlDeviceGetUtilizationRates(Device board, Utilization *share) {
    ANSWER((share->gpu = 97, share->memory = 42));
}

int nvmlDeviceGetCurrentClocksEventReasons(Device board, unsigned long long *reasons) {
    double t = now_s(board);
    int event = t >= board->event_from && t < board->event_to;
    ANSWER(*reasons = board->reasons | (event ? board->events : 0));
}

int nvmlDeviceGetMigMode(Device board, unsigned *current, unsigned *pending) {
    ANSWER(*current = *pending = (unsigned)board->mig);
}

int nvmlDeviceGetPersistenceMode(Device board, unsigned *mode) { ANSWER(*mode = 1); }

int nvmlDeviceGetEccMode(Device board, unsigned *current, unsigned *pending) {
    ANSWER(*current = *pending = 1);
}

int nvmlDeviceGetEnforcedPowerLimit(Device board, unsigned *mw) { ANSWER(*mw = 650000); }

int nvmlDeviceGetPowerManagementDefaultLimit(Device board, unsigned *mw) { ANSWER(*mw = 700000); }

int nvmlDeviceGetComputeRunningProcesses_v3(Device board, unsigned *count, Process *processes) {
    CHECK(board);
    unsigned room = *count;
    *count = board->pid_count;
    if (board->pid_count > room) return INSUFFICIENT_SIZE;
    unsigned long long memory = (unsigned long long)(board->pid_mib * 1048576);
    for (unsigned i = 0; i < board->pid_count; i++)
        processes[i] = (Process){.pid = board->pids[i], .memory = memory};
    return SUCCESS;
}

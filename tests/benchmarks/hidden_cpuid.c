/* Answer the CPUID instructions of patched libraries without VNNI, or without AVX-512 either.

   `tests.benchmarks.without_vnni` replaces each CPUID of a library by UD2, an undefined instruction
   of the same length, and preloads this file. The signal handler executes CPUID itself, clears the
   bits that are hidden, and continues behind the instruction. HIDDEN_EXTENSIONS is "vnni" or "vnni avx512". */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define BIT(n) (1u << (n))

/* Bits of leaf 7: AVX-512 in its parts, the matrix unit AMX, and both forms of VNNI. */
static const uint32_t AVX512_EBX = BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31);
static const uint32_t AVX512_ECX = BIT(1) | BIT(6) | BIT(12) | BIT(14);
static const uint32_t AVX512_EDX = BIT(2) | BIT(3) | BIT(8) | BIT(23);
static const uint32_t VNNI_ECX = BIT(11);
static const uint32_t AMX_EDX = BIT(22) | BIT(24) | BIT(25);
static const uint32_t VNNI_EAX_1 = BIT(4), AVX512_BF16_AND_AMX_EAX_1 = BIT(5) | BIT(21);
static const uint32_t VNNI_INT8_AND_INT16_EDX_1 = BIT(4) | BIT(10), AVX10_EDX_1 = BIT(19);

typedef int register_handler(int, const struct sigaction *, struct sigaction *);

static int avx512_too;

static void hide(uint32_t leaf, uint32_t sub, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    if (leaf == 7 && sub == 0) {
        *c &= ~VNNI_ECX;
        *d &= ~AMX_EDX;
        if (avx512_too) {
            *b &= ~AVX512_EBX;
            *c &= ~AVX512_ECX;
            *d &= ~AVX512_EDX;
        }
    } else if (leaf == 7 && sub == 1) {
        *a &= ~(VNNI_EAX_1 | AVX512_BF16_AND_AMX_EAX_1);
        *d &= ~(VNNI_INT8_AND_INT16_EDX_1 | AVX10_EDX_1);
    }
}

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)registers[REG_RIP];
    (void)info;
    if (at[0] != 0x0f || at[1] != 0x0b) { /* another illegal instruction: end as without us */
        struct sigaction none = {.sa_handler = SIG_DFL};
        ((register_handler *)dlsym(RTLD_NEXT, "sigaction"))(number, &none, NULL);
        return;
    }
    uint32_t leaf = (uint32_t)registers[REG_RAX], sub = (uint32_t)registers[REG_RCX], a, b, c, d;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(sub));
    hide(leaf, sub, &a, &b, &c, &d);
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

/* Keep our handler: Python's faulthandler would replace it. */
int sigaction(int number, const struct sigaction *action, struct sigaction *before) {
    register_handler *next = (register_handler *)dlsym(RTLD_NEXT, "sigaction");
    if (number == SIGILL && action != NULL && action->sa_sigaction != answer) {
        action = NULL;
    }
    return next(number, action, before);
}

__attribute__((constructor)) static void start(void) {
    const char *hidden = getenv("HIDDEN_EXTENSIONS");
    struct sigaction action;
    avx512_too = hidden != NULL && strstr(hidden, "avx512") != NULL;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, NULL);
}

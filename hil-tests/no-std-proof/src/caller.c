/* A program without Rust's runtime that calls the proof, so that what was linked has also run. */
#include <stdint.h>

uint32_t eisbach_no_std_proof(uint64_t now_ms);

int main(void) {
    /* Boot holds both set-points, and the frame came back as it went. */
    return eisbach_no_std_proof(1000) == 102 ? 0 : 1;
}

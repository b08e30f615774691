/*
 * What a device with a certificate costs the endpoint: its handshake, its parked session, and a flood of
 * handshakes that begin so and never end. Certificates are made for the bench and forgotten with it.
 */
#ifndef MYCEL_TESTS_BENCH_CERTIFICATES_H
#define MYCEL_TESTS_BENCH_CERTIFICATES_H

struct certificate_costs {
    double handshake_us;     /* the endpoint's CPU time for one, first request included */
    double handshake_crl_us; /* … with a CRL */
    double parked_bytes;     /* heap for one parked session */
    double flood_begun_per_s;
    double flood_server_cpu; /* share of one core */
    double flood_psk_success;
    double flood_psk_p99_ms;
};

/* Ends the bench with a message when something goes wrong. */
struct certificate_costs measure_certificates(double flood_s);

#endif

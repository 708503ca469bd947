/* Mazur's 2-2-2 network in double precision, as one would write it by hand. */
#include <math.h>

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

double train(long steps, double *v, double *w, const double *b, const double *c, const double *x,
             const double *t, double rate) {
    double loss = 0;
    for (long step = 0; step < steps; step++) {
        double h[2], o[2], d[2], e[2];
        for (int j = 0; j < 2; j++) h[j] = sigmoid(v[2 * j] * x[0] + v[2 * j + 1] * x[1] + b[j]);
        for (int j = 0; j < 2; j++) o[j] = sigmoid(w[2 * j] * h[0] + w[2 * j + 1] * h[1] + c[j]);
        loss = 0;
        for (int j = 0; j < 2; j++) {
            loss += 0.5 * (o[j] - t[j]) * (o[j] - t[j]);
            d[j] = (o[j] - t[j]) * o[j] * (1 - o[j]);
        }
        for (int i = 0; i < 2; i++) e[i] = (d[0] * w[i] + d[1] * w[2 + i]) * h[i] * (1 - h[i]);
        for (int k = 0; k < 4; k++) w[k] -= rate * d[k / 2] * h[k % 2];
        for (int k = 0; k < 4; k++) v[k] -= rate * e[k / 2] * x[k % 2];
    }
    return loss;
}

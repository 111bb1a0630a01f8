/* A server that is never the bottleneck: it reads requests and answers, one thread a connection.
 *
 *     cc -O2 -o sink sink.c -lssl -lcrypto -lpthread
 *     ./sink                    HTTP on a free port of 127.0.0.1; prints the port
 *     ./sink CERT.pem KEY.pem   the same over TLS
 *
 * Any POST is taken: 201 {"id":"1","status":"created"}. Under /checked the SHA-256 of the file part, which comes last,
 * must be that of the field "sha256" before it, else 422. What @immich/cli asks for is answered as it needs it. GET
 * /count tells what came: photos, bytes of their bodies, digests that were equal and that were not.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK (1 << 20)
#define MOST_CHECKED (1 << 20) /* bytes before the payload */

static SSL_CTX *tls;
static atomic_long photos, bytes, equal, different;

struct peer {
    int socket;
    SSL *ssl;
    char *buffer; /* what was received and not yet used: have bytes from its start */
    size_t have, room;
};

static ssize_t receive(struct peer *peer, char *into, size_t most) {
    if (peer->ssl)
        return SSL_read(peer->ssl, into, most > BLOCK ? BLOCK : (int)most);
    return recv(peer->socket, into, most, 0);
}

static int transmit(struct peer *peer, const char *data, size_t size) {
    ssize_t sent = peer->ssl ? SSL_write(peer->ssl, data, (int)size) : send(peer->socket, data, size, MSG_NOSIGNAL);
    return sent == (ssize_t)size;
}

static int answer(struct peer *peer, const char *status, const char *body) {
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
                          strlen(body));
    size_t size = strlen(body), total = length + size;
    char *all = malloc(total);
    memcpy(all, head, length);
    memcpy(all + length, body, size);
    int sent = transmit(peer, all, total);
    free(all);
    return sent;
}

/* More into the buffer, which grows to hold it. */
static int more(struct peer *peer) {
    if (peer->room - peer->have < BLOCK / 2)
        peer->buffer = realloc(peer->buffer, peer->room += BLOCK);
    ssize_t count = receive(peer, peer->buffer + peer->have, peer->room - peer->have);
    if (count > 0)
        peer->have += count;
    return count > 0;
}

static void drop(struct peer *peer, size_t count) {
    memmove(peer->buffer, peer->buffer + count, peer->have -= count);
}

/* Read the rest of a body of which all but rest bytes were used; each block is digested, but for its last tail bytes. */
static int read_body(struct peer *peer, long long rest, EVP_MD_CTX *digest, long long tail) {
    while (rest > 0) {
        if (!peer->have && !more(peer))
            return 0;
        size_t count = (long long)peer->have < rest ? peer->have : (size_t)rest;
        if (digest) {
            long long wanted = rest - tail;
            if (wanted > 0)
                EVP_DigestUpdate(digest, peer->buffer, (long long)count < wanted ? count : (size_t)wanted);
        }
        drop(peer, count);
        rest -= count;
    }
    return 1;
}

/* Does the payload have the digest that its form names? -1: the line broke. */
static int check(struct peer *peer, const char *boundary, long long length) {
    char *end = NULL, *file;
    while (!((file = memmem(peer->buffer, peer->have, "filename=", 9)) &&
             (end = memmem(file, peer->buffer + peer->have - file, "\r\n\r\n", 4)))) {
        if (peer->have > MOST_CHECKED || !more(peer))
            return -1;
    }
    char told[65] = "";
    char *field = memmem(peer->buffer, file - peer->buffer, "name=\"sha256\"\r\n\r\n", 17);
    if (field)
        memcpy(told, field + 17, 64);
    long long offset = end + 4 - peer->buffer;
    drop(peer, offset);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    int whole = read_body(peer, length - offset, digest, strlen(boundary) + 8);
    unsigned char value[32];
    char found[65];
    EVP_DigestFinal_ex(digest, value, NULL);
    EVP_MD_CTX_free(digest);
    for (int i = 0; i < 32; i++)
        sprintf(found + 2 * i, "%02x", value[i]);
    return whole ? !strcmp(found, told) : -1;
}

/* {"results":[{"id":...,"action":"accept"},...]} for the assets that a bulk-upload-check names. */
static char *accept_all(const char *body, size_t length) {
    char *out = malloc(2 * length + 64), *at = out + sprintf(out, "{\"results\":[");
    const char *here = body, *end = body + length;
    while ((here = memmem(here, end - here, "\"id\":\"", 6))) {
        const char *stop = memchr(here + 6, '"', end - here - 6);
        at += sprintf(at, "%s{\"id\":\"%.*s\",\"action\":\"accept\"}", at[-1] == '[' ? "" : ",",
                      (int)(stop - here - 6), here + 6);
        here = stop;
    }
    strcpy(at, "]}");
    return out;
}

static int get(struct peer *peer, const char *path) {
    static const char *known[][2] = {
        {"/api/api-keys/me", "{\"id\":\"1\",\"name\":\"bench\",\"permissions\":[\"all\"]}"},
        {"/api/users/me", "{\"id\":\"1\",\"email\":\"bench@example.org\",\"name\":\"bench\"}"},
        {"/api/server/media-types", "{\"image\":[\".jpg\"],\"video\":[\".mp4\"],\"sidecar\":[\".xmp\"]}"},
    };
    char count[160];
    if (!strcmp(path, "/count")) {
        snprintf(count, sizeof count, "{\"photos\":%ld,\"bytes\":%ld,\"equal\":%ld,\"different\":%ld}", photos, bytes,
                 equal, different);
        return answer(peer, "200 OK", count);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(path, known[i][0]))
            return answer(peer, "200 OK", known[i][1]);
    return answer(peer, "404 Not Found", "{}");
}

static int post(struct peer *peer, const char *path, const char *boundary, long long length) {
    if (!strcmp(path, "/api/assets/bulk-upload-check")) {
        while ((long long)peer->have < length)
            if (!more(peer))
                return 0;
        char *body = accept_all(peer->buffer, length);
        drop(peer, length);
        int sent = answer(peer, "200 OK", body);
        free(body);
        return sent;
    }
    if (!strncmp(path, "/checked", 8)) {
        int is_equal = check(peer, boundary, length);
        if (is_equal < 0)
            return 0;
        is_equal ? equal++ : different++;
        if (!is_equal)
            return answer(peer, "422 Unprocessable Content", "{\"error\":\"another digest\"}");
    } else if (!read_body(peer, length, NULL, 0)) {
        return 0;
    }
    photos++;
    bytes += length;
    return answer(peer, "201 Created", "{\"id\":\"1\",\"status\":\"created\"}");
}

static int one_request(struct peer *peer) {
    char *end;
    while (!(end = memmem(peer->buffer, peer->have, "\r\n\r\n", 4)))
        if (!more(peer))
            return 0;
    end[2] = 0;
    char method[8], path[1024], boundary[128] = "";
    if (sscanf(peer->buffer, "%7s %1023s", method, path) != 2)
        return 0;
    char *header = strcasestr(peer->buffer, "\r\ncontent-length:");
    long long length = header ? atoll(header + 17) : 0;
    if ((header = strcasestr(peer->buffer, "boundary=")))
        sscanf(header + 9, "%127[^;\r\n]", boundary);
    if (strcasestr(peer->buffer, "100-continue") && !transmit(peer, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return 0;
    drop(peer, end + 4 - peer->buffer);
    return strcmp(method, "GET") ? post(peer, path, boundary, length) : get(peer, path);
}

static void *serve(void *given) {
    struct peer peer = {.socket = (int)(long)given, .buffer = malloc(BLOCK), .room = BLOCK};
    int open = 1;
    if (tls) {
        peer.ssl = SSL_new(tls);
        SSL_set_fd(peer.ssl, peer.socket);
        open = SSL_accept(peer.ssl) == 1;
    }
    while (open && one_request(&peer))
        ;
    SSL_free(peer.ssl);
    close(peer.socket);
    free(peer.buffer);
    return NULL;
}

int main(int count, char **given) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 3) {
        tls = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(tls, given[1]) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, given[2], SSL_FILETYPE_PEM) != 1)
            return 1;
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 512) ||
        getsockname(listener, (void *)&address, &size))
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            continue;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_t thread;
        pthread_create(&thread, NULL, serve, (void *)(long)connection);
        pthread_detach(thread);
    }
}

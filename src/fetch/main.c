// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-fetch URL BYTES SECONDS: what is at the URL, to standard output. A process of its own, nobody's and without
// a way back, because it reads what a stranger's server says.

#include "base/clock.h"

#include <curl/curl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY 65534 // user and group of that name (base-passwd)
#define REDIRECTS 5
#define CONNECT_SECONDS 10L

struct body {
	CURL *from;
	size_t len, max;
	bool more; // than max
};

// CURLOPT_WRITEFUNCTION: less than it was given ends the transfer.
static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct body *b = arg;

	long code = 0;

	n *= size;
	b->more = n > b->max - b->len;
	curl_easy_getinfo(b->from, CURLINFO_RESPONSE_CODE, &code);
	// what comes with a redirect is not the file
	if (b->more || (code == 200 && fwrite(data, 1, n, stdout) != n))
		return 0;
	b->len += n;
	return n;
}

static int give_up_rights(size_t bytes)
{
	const struct rlimit size = {bytes, bytes}, none = {0, 0};

	if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -1;
	if (geteuid() == 0
	    && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0
		|| setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

// "SCHEME HOST PORT" of a URL.
static bool server_of(const char *url, char *ret, size_t len)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	bool known = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
		     && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
		     && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		     && curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

	if (known)
		known = snprintf(ret, len, "%s %s %s", scheme, host, port) < (int)len;
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return known;
}

// Whether both are at one server, or the second is the first by https.
static bool same_server(const char *from, const char *to)
{
	char a[512], b[512], safe[sizeof(a) + 8];

	if (!server_of(from, a, sizeof(a)) || !server_of(to, b, sizeof(b)))
		return false;
	snprintf(safe, sizeof(safe), "https%.*s443", (int)strlen(a) - 6, a + 4);
	return strcasecmp(a, b) == 0
	       || (strncmp(a, "http ", 5) == 0 && strcmp(a + strlen(a) - 3, " 80") == 0
		   && strcasecmp(safe, b) == 0);
}

// Redirects are followed by hand: a server may say where else at its host it is, but not have this one ask others,
// which may answer it alone (a cloud's metadata, what listens on the loopback).
static CURLcode perform(CURL *c, const char *url, int64_t limit, char *why, long *ret_code)
{
	for (int n = 0; n <= REDIRECTS; n++) {
		int64_t left = limit - clock_ms();
		char *next = NULL;
		CURLcode r;

		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
		r = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, ret_code);
		curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &next);
		if (r != CURLE_OK || next == NULL)
			return r;
		if (!same_server(url, next)) {
			snprintf(
				why, CURL_ERROR_SIZE, "it redirects to '%.150s'; say that URL", next
			);
			return CURLE_REMOTE_ACCESS_DENIED;
		}
		// which copies it
		curl_easy_setopt(c, CURLOPT_URL, next);
	}
	snprintf(why, CURL_ERROR_SIZE, "more than %d redirects", REDIRECTS);
	return CURLE_TOO_MANY_REDIRECTS;
}

static CURLcode fetch(const char *url, struct body *b, long seconds, char *why, long *ret_code)
{
	CURL *c = curl_easy_init();
	CURLcode r = CURLE_FAILED_INIT;

	if (c == NULL)
		return r;
	b->from = c;
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)b->max);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "pinfold");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	r = perform(c, url, clock_ms() + seconds * 1000, why, ret_code);
	// the body of any other answer is not the file: a page that says where it is, a part of it, nothing
	if (r == CURLE_OK && *ret_code != 200)
		r = CURLE_HTTP_RETURNED_ERROR;
	curl_easy_cleanup(c);
	return r;
}

int main(int argc, char **argv)
{
	char why[CURL_ERROR_SIZE] = "";
	struct body b = {0};
	long code = 0;
	CURLcode r;

	if (argc != 4) {
		fputs("usage: pinfold-fetch URL BYTES SECONDS\n", stderr);
		return 2;
	}
	b.max = strtoul(argv[2], NULL, 10);
	if (give_up_rights(b.max) < 0) {
		perror("give up rights");
		return 1;
	}
	r = fetch(argv[1], &b, strtol(argv[3], NULL, 10), why, &code);
	if (r == CURLE_OK && fflush(stdout) == 0)
		return 0;
	if (b.more || r == CURLE_FILESIZE_EXCEEDED)
		fprintf(stderr, "it has more than %zu bytes\n", b.max);
	else if (r == CURLE_HTTP_RETURNED_ERROR)
		fprintf(stderr, "the server says %ld\n", code);
	else
		fprintf(stderr, "%s\n", why[0] != '\0' ? why : curl_easy_strerror(r));
	return 1;
}

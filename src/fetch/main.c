// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-fetch URL BYTES SECONDS: what is at the URL, to standard output. A process of its own, nobody's and without
// a way back, because it reads what a stranger's server says.

#include <curl/curl.h>
#include <grp.h>
#include <stdbool.h>
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
	size_t len, max;
	bool more; // than max
};

// CURLOPT_WRITEFUNCTION: less than it was given ends the transfer.
static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct body *b = arg;

	n *= size;
	b->more = n > b->max - b->len;
	if (b->more || fwrite(data, 1, n, stdout) != n)
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

static CURLcode fetch(const char *url, struct body *b, long seconds, char *why, long *ret_code)
{
	CURL *c = curl_easy_init();
	CURLcode r = CURLE_FAILED_INIT;

	if (c == NULL)
		return r;
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	// what was asked for safely is not taken from where anybody on the way may write it
	curl_easy_setopt(
		c,
		CURLOPT_REDIR_PROTOCOLS_STR,
		strncasecmp(url, "https:", strlen("https:")) == 0 ? "https" : "http,https"
	);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)b->max);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, seconds);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "pinfold");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	r = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, ret_code);
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

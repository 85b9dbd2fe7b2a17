/* The sh of the tests' busybox image. Busybox's own drops variables whose names are no identifiers (data-1), which the suite expects of its
 * sh to be passed on; bash words errors differently, which the suite reads. So: bash where there are such variables, else busybox. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv, char **environment)
{
	const char *program = "/bin/busybox";
	char **variable;
	const char *c;

	(void)argc;
	for (variable = environment; *variable; variable++)
		for (c = *variable; *c && *c != '='; c++)
			if (!isalnum((unsigned char)*c) && *c != '_')
				program = "/bin/bash";
	execve(program, argv, environment);
	return 127;
}

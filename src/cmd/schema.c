#include "cmd/cmd.h"

int cmd_schema(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 2;
}

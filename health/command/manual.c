/* The manuals of the sub-commands, for a terminal and as the page candor(1): one text for both. */
#include <ctype.h>
#include <string.h>

#include "health/command/command.h"

static const char *gap(const struct command *c) { return c->synopsis[0] != '\0' ? " " : ""; }

void manual_overview(FILE *to, const struct command *const *commands, int count) {
    fprintf(to, "usage: candor COMMAND [ARGUMENT...] [-c FILE]\n\n");
    for (int i = 0; i < count; i++)
        fprintf(to, "  %-13s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "  %-13s %s\n  %-13s %s\n", "help", "this text, or the manual of a command: candor help COMMAND",
            "version", "prints the version");
    fprintf(to, "\nWithout -c FILE the file is $CANDOR_CONFIG, else /etc/candor/candor.yaml, else the defaults.\n");
}

static void option_line(void *to, const char *usage, const char *help) { fprintf(to, "  %-22s %s\n", usage, help); }

void manual_command(FILE *to, const struct command *c) {
    fprintf(to, "usage: candor %s%s%s%s\n\n%s\n", c->name, gap(c), c->synopsis, c->options != 0 ? " [OPTION...]" : "",
            c->manual);
    if (c->options != 0)
        fprintf(to, "\n");
    args_each(c->options, option_line, to);
}

/* Text for roff: what begins a request, or would become another sign, is escaped. An empty line is a new paragraph; an
 * indented one stands as it is. */
static void roff_char(FILE *to, const char *text, const char *at) {
    bool begins = at == text || at[-1] == '\n';
    if (*at == '\\')
        fputs("\\e", to);
    else if (*at == '-')
        fputs("\\-", to);
    else if (*at == '`' || (*at == '\'' && !begins))
        fputs(*at == '`' ? "\\(ga" : "\\(aq", to);
    else if (begins && (*at == '.' || *at == '\''))
        fprintf(to, "\\&%c", *at);
    else if (*at == '^' || *at == '~')
        fprintf(to, *at == '^' ? "\\(ha" : "\\(ti");
    else
        fputc(*at, to);
}

static void roff_text(FILE *to, const char *text) {
    bool as_is = false;
    for (const char *line = text; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        bool indented = *line == ' ';
        if (size == 0)
            fprintf(to, ".PP");
        else if (indented != as_is)
            fprintf(to, indented ? ".nf\n" : ".fi\n");
        if (size > 0)
            as_is = indented;
        for (size_t i = 0; i < size; i++)
            roff_char(to, text, line + i);
        fputc('\n', to);
        line += size + (line[size] == '\n');
    }
    if (as_is)
        fprintf(to, ".fi\n");
}

static void roff_option(void *to, const char *usage, const char *help) {
    fprintf(to, ".TP\n.B ");
    roff_text(to, usage);
    roff_text(to, help);
}

void manual_roff(FILE *to, const struct command *const *commands, int count) {
    fprintf(to, ".\\\" Made by `candor help --man`; change the texts in health/command.\n"
                ".TH CANDOR 1 \"\" \"candor " CANDOR_VERSION "\"\n.SH NAME\n"
                "candor \\- runs, publishes to and questions a Candor node\n.SH SYNOPSIS\n"
                ".B candor\n.I command\n.RI [ argument \\ .\\|.\\|.]\n.RB [ \\-c\n.IR file ]\n.SH DESCRIPTION\n"
                "Candor is a caching DNS resolver for mail filters that serves blocklist zones.\n"
                "Every command reads the configuration of the node, asks it or one of its files, and never looks a\n"
                "name up.\nWithout\n.B \\-c\n.I file\nthe file is\n.BR $CANDOR_CONFIG ,\nelse\n"
                ".IR /etc/candor/candor.yaml ,\nelse there are the defaults.\n.SH COMMANDS\n");
    for (int i = 0; i < count; i++) {
        const struct command *c = commands[i];
        fprintf(to, ".SS candor ");
        roff_text(to, c->name);
        if (c->synopsis[0] != '\0') {
            fprintf(to, ".I ");
            roff_text(to, c->synopsis);
            fprintf(to, ".PP\n");
        }
        roff_text(to, c->manual);
        args_each(c->options & ~(unsigned)OPTION_CONFIG, roff_option, to);
    }
    fprintf(to, ".SH EXIT STATUS\n0 well; 1 and 2 as each command says; 3 the command line is wrong.\n"
                ".SH FILES\n.I /etc/candor/candor.yaml\n.SH SEE ALSO\n.BR candor.yaml (5),\n"
                ".BR candor\\-sync (8),\n.BR candor\\-resolver (8),\n.BR candor\\-health (8)\n");
}

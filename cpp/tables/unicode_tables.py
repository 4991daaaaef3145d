def render(): return "// replaced by unicode_tables\n"

def render(): return "// replaced by ftfy_tables\n"

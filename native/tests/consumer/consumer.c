#include <f2i/f2i.h>
#include <stdio.h>

int main(void) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  f2i_context *context = NULL;
  desc.abi_version = F2I_ABI_VERSION;
  if (f2i_abi_version() != F2I_ABI_VERSION || f2i_context_create(&desc, &context) != F2I_OK) {
    fprintf(stderr, "%s\n", f2i_last_error(NULL));
    return 1;
  }
  printf("f2i %s\n", f2i_version());
  return f2i_context_destroy(context);
}

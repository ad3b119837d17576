/** A plugin of typedoc: calls modules what they are imported by. `MODULE_NAMES` has the names by folder, in JSON. */

import { Converter, ReflectionKind } from "typedoc";

export function load(app) {
  const names = JSON.parse(process.env.MODULE_NAMES);
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      if (names[module.name] === undefined) throw new Error(`Nobody knows what ${module.name} is imported by`);
      module.name = names[module.name];
    }
  });
}

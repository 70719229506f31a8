// WebAssembly with bounds: V8 maps its memories from the system, where no limit of a heap or a
// buffer counts them (`spec/security.md` 2.4 and 2.5). Loaded when a worker first uses it.

(() => {
  const { primordials } = __bootstrap;
  const {
    ArrayPrototypePush, ObjectDefineProperty, Promise, PromisePrototypeThen, PromiseReject,
    RangeError, ReflectApply, ReflectConstruct, SafeWeakRef, TypeError, WeakRefPrototypeDeref,
  } = primordials;

  /** Memories, and instances, which may have memories, at a time; each has 128 MiB at most. */
  const MAPPED_MAX = 16;

  /** @type {WeakRef<object>[]} Some may be gone. */
  let mapped = [];
  /** Instances that are being made. */
  let coming = 0;

  function makeRoom() {
    if (mapped.length + coming < MAPPED_MAX) return;
    const alive = [];
    for (let i = 0; i < mapped.length; i++) {
      if (WeakRefPrototypeDeref(mapped[i]) !== undefined) ArrayPrototypePush(alive, mapped[i]);
    }
    mapped = alive;
    if (mapped.length + coming >= MAPPED_MAX) {
      throw new RangeError(
        `There may be ${MAPPED_MAX} WebAssembly instances and memories at a time`,
      );
    }
  }

  function note(made) {
    ArrayPrototypePush(mapped, new SafeWeakRef(made));
    return made;
  }

  /** @param {Function} Native @param {string} name */
  function bounded(Native, name) {
    const Bounded = {
      [name]: function (_) {
        if (new.target === undefined) {
          throw new TypeError(`WebAssembly.${name} must be invoked with 'new'`);
        }
        makeRoom();
        return note(ReflectConstruct(Native, arguments, new.target));
      },
    }[name];
    const { prototype } = Native;
    const fixed = { __proto__: null, value: prototype, writable: false };
    ObjectDefineProperty(Bounded, "prototype", fixed);
    hide(prototype, "constructor", Bounded);
    return Bounded;
  }

  function hide(object, name, value) {
    ObjectDefineProperty(object, name, {
      __proto__: null,
      value,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  }

  /**
   * @param {any} native
   * @returns {any} The same object.
   */
  function bound(native) {
    const { Instance, Memory, instantiate } = native;
    hide(native, "Memory", bounded(Memory, "Memory"));
    hide(native, "Instance", bounded(Instance, "Instance"));
    hide(native, "instantiate", {
      instantiate(_source) {
        try {
          makeRoom();
        } catch (error) {
          return PromiseReject(error);
        }
        coming++;
        const made = ReflectApply(instantiate, native, arguments);
        return new Promise((resolve, reject) => {
          PromisePrototypeThen(made, (result) => {
            coming--;
            note(result.instance ?? result);
            resolve(result);
          }, (error) => {
            coming--;
            reject(error);
          });
        });
      },
    }.instantiate);
    return native;
  }

  return { bound };
})();
